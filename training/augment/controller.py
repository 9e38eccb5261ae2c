"""The strength of augmentation, adapted while training (Karras et al. 2020, StyleGAN2-ADA)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from galaxies.errors import BadInput

SIGNALS = ("r_t", "r_v")


@dataclass
class Controller:
    """Raises p where the discriminator is too sure of the training images, and lowers it where it is not.

    Every ``interval`` minibatches, p moves by images / (``speed_kimg`` · 1000) towards more augmentation if the heuristic is
    above ``target`` and towards less if it is below, within 0 … ``cap``. The heuristic is

    - r_t = E[sign(D_train)], averaged over the interval (target 0.6), or
    - r_v = (E[D_train] - E[D_val]) / (E[D_train] - E[D_gen]) where ``heuristic`` is ``"r_v"`` (target 0.5): it needs the
      discriminator's mean logits of held-out images. 0 is no overfitting, 1 is complete.

    A cap below 1 keeps augmentations from leaking into generated images.
    """

    target: float = 0.6
    interval: int = 4
    speed_kimg: float = 100.0
    cap: float = 0.8
    heuristic: str = "r_t"
    p: float = 0.0
    r_t: float = 0.0
    """Value over the last whole interval."""
    r_v: float = 0.0
    steps: int = 0
    images: int = 0
    signs: float = 0.0
    train: float = 0.0
    held_out: float = 0.0
    generated: float = 0.0

    def __post_init__(self) -> None:
        if self.heuristic not in SIGNALS:
            raise BadInput(f"heuristic {self.heuristic!r}: r_t or r_v is allowed", field="heuristic")
        for name, least in (("interval", 1), ("speed_kimg", 1e-9)):
            if getattr(self, name) < least:
                raise BadInput(f"{name} {getattr(self, name)}: more than 0 is needed", field=name)
        for name in ("cap", "p"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name} {getattr(self, name)} is outside 0 … 1", field=name)

    def update(self, sign_mean: float, images: int, means: tuple[float, float, float] | None = None) -> float:
        """Take note of one minibatch and return the strength of the next.

        Parameters
        ----------
        sign_mean : mean sign of the discriminator's logits of the (augmented) training images of the minibatch.
        images : how many training images that were.
        means : mean logits of training, held-out and generated images; needed for r_v.

        Raises
        ------
        BadInput : r_v steers and ``means`` is absent.
        """
        if means is None and self.heuristic == "r_v":
            raise BadInput("r_v needs mean logits of training, held-out and generated images; keep images held out or use r_t")
        self.steps += 1
        self.images += images
        self.signs += sign_mean
        for name, value in zip(("train", "held_out", "generated"), means or (0.0, 0.0, 0.0), strict=True):
            setattr(self, name, getattr(self, name) + value)
        if self.steps == self.interval:
            self._adjust()
        return self.p

    def _adjust(self) -> None:
        self.r_t = self.signs / self.steps
        spread = self.train - self.generated
        self.r_v = (self.train - self.held_out) / spread if abs(spread) > 1e-8 else 0.0
        value = self.r_v if self.heuristic == "r_v" else self.r_t
        direction = (value > self.target) - (value < self.target)
        self.p = min(max(self.p + direction * self.images / (self.speed_kimg * 1000.0), 0.0), self.cap)
        self.steps = self.images = 0
        self.signs = self.train = self.held_out = self.generated = 0.0

    def state(self) -> dict[str, Any]:
        """Everything as plain JSON values; ``Controller(**state)`` goes on exactly where this one stands."""
        return asdict(self)
