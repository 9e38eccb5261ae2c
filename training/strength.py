"""How strongly images are augmented: a fixed p, or one that the controller adapts; its state belongs to the checkpoint."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from training.augment import ADA_PRESETS, Controller
from training.config import TrainConfig


class Strength:
    """The strength p of the next step.

    Mean signs of the discriminator's logits stay where they were computed until ``augment_interval`` of them are there, so that
    a GPU is not waited for in every step.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.interval, self.batch = config.augment_interval, config.batch
        self.controller: Controller | None = None
        self.fixed = config.augment_p
        if config.augment_p is None and config.augment in ADA_PRESETS:
            self.controller = Controller(config.augment_target, 1, config.augment_speed_kimg, config.augment_cap)
        elif config.augment_p is None:
            self.fixed = 1.0
        self.pending: list[Tensor | float] = []

    @property
    def p(self) -> float:
        """Strength in 0 … 1."""
        return self.controller.p if self.controller is not None else self.fixed or 0.0

    def note(self, sign_mean: Tensor) -> None:
        """Take note of one minibatch: the mean sign of the logits of its real images, over all processes."""
        if self.controller is None:
            return
        self.pending.append(sign_mean)
        if len(self.pending) == self.interval:
            mean = sum(float(sign) for sign in self.pending) / self.interval
            self.controller.update(mean, self.interval * self.batch)
            self.pending = []

    def state(self) -> dict[str, Any]:
        """As plain JSON values; `restore` is the inverse."""
        if self.controller is None:
            return {}
        return {"controller": self.controller.state(), "pending": [float(sign) for sign in self.pending]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken; a run without augmentation, or an older one, leaves none."""
        if self.controller is None or not state:
            return
        target, speed, cap = self.controller.target, self.controller.speed_kimg, self.controller.cap
        self.controller = Controller(**{**state["controller"], "target": target, "speed_kimg": speed, "cap": cap})
        self.pending = list(state["pending"])
