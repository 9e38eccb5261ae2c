"""How strongly images are augmented: a fixed p, or one that the controller adapts; its state belongs to the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from training.augment import ADA_PRESETS, Controller
from training.config import TrainConfig

HELD_OUT_EVERY = 16
"""Steps between looks at a held-out batch, which only r_v needs."""
LOGGED = {"r_t": ("r_t",), "r_v": ("logit_real", "logit_held_out", "logit_fake")}
"""What each signal follows from, by its name in the log."""


class Strength:
    """The strength p of the next step.

    What it follows from stays where it was computed until ``augment_interval`` minibatches have gone by, so that a GPU is not
    waited for in every step; r_v is there only in every `HELD_OUT_EVERY`-th of them.
    """

    def __init__(self, config: TrainConfig) -> None:
        every = HELD_OUT_EVERY if config.augment_signal == "r_v" else 1
        self.interval, self.images_each = max(1, config.augment_interval // every), config.batch * every
        self.wanted = LOGGED[config.augment_signal]
        self.controller: Controller | None = None
        self.fixed = config.augment_p
        if config.augment_p is None and config.augment in ADA_PRESETS:
            self.controller = Controller(
                config.augment_target, 1, config.augment_speed_kimg, config.augment_cap, config.augment_signal
            )
        elif config.augment_p is None:
            self.fixed = 1.0
        self.pending: list[list[Tensor | float]] = []

    @property
    def p(self) -> float:
        """Strength in 0 … 1."""
        return self.controller.p if self.controller is not None else self.fixed or 0.0

    def note(self, logs: Mapping[str, Tensor]) -> None:
        """Take note of what one minibatch logged, over all processes, if what steers is among it."""
        if self.controller is None or any(name not in logs for name in self.wanted):
            return
        self.pending.append([logs[name] for name in self.wanted])
        if len(self.pending) == self.interval:
            first, *others = (sum(map(float, values)) / self.interval for values in zip(*self.pending, strict=True))
            means = (first, others[0], others[1]) if others else None
            self.controller.update(0.0 if means else first, self.interval * self.images_each, means)
            self.pending = []

    def state(self) -> dict[str, Any]:
        """As plain JSON values; `restore` is the inverse."""
        if self.controller is None:
            return {}
        return {"controller": self.controller.state(), "pending": [[float(value) for value in values] for values in self.pending]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken; a run without augmentation, or an older one, leaves none."""
        if self.controller is None or not state:
            return
        target, speed, cap = self.controller.target, self.controller.speed_kimg, self.controller.cap
        self.controller = Controller(**{**state["controller"], "target": target, "speed_kimg": speed, "cap": cap})
        self.pending = [values if isinstance(values, list) else [values] for values in state["pending"]]


def with_r_v(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Where a held-out batch was looked at, r_v = (E[D_train] - E[D_val]) / (E[D_train] - E[D_gen]) too."""
    if "logit_held_out" in logs:
        spread = logs["logit_real"] - logs["logit_fake"]
        if spread.abs() > 1e-3:
            logs["r_v"] = (logs["logit_real"] - logs["logit_held_out"]) / spread
    return logs
