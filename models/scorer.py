"""The exported scorer: one ONNX graph that holds all members of its ensemble."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from galaxies.cards import ModelCard
from galaxies.errors import BadModel
from galaxies.scores import Scores
from galaxies.seen import seen
from models.generator import Device, open_session
from models.versions import ScorerVersion, verify

Array = NDArray[np.float32]

ROWS = 16


class OnnxScorer:
    """One loaded scorer version. Several threads may use it.

    Raises
    ------
    BadModel : a file is damaged, or the graph does not have the inputs and shapes that the card promises.
    """

    def __init__(self, version: ScorerVersion, device: Device | None = None) -> None:
        verify(version)
        self.card = version.card
        self._session = open_session(version, "scorer", device or Device())
        self._probe()

    @property
    def providers(self) -> list[str]:
        """Execution providers in use, the first is the device that serves."""
        names: list[str] = self._session.get_providers()
        return names

    def judge(self, images: Array) -> Array:
        """Images as scorers see them (N, 1, side, side) → what every member says, (N, members), not clipped."""
        (said,) = self._session.run(["scores"], {"images": images})
        return np.asarray(said, dtype=np.float32)

    def scores(self, images: Array, card: ModelCard) -> Scores:
        """Images (N, bands, H, W) of ``card``, about -1 … 1, judged.

        In batches of `ROWS`, the last one filled up, so that no score depends on N.
        """
        said = np.empty((len(images), self.card.members), np.float32)
        for start in range(0, len(images), ROWS):
            part = seen(images[start : start + ROWS], card, self.card)
            filled = np.concatenate([part, np.repeat(part[-1:], ROWS - len(part), axis=0)])
            said[start : start + ROWS] = self.judge(filled)[: len(part)]
        return Scores.of(self.card, said)

    def _probe(self) -> None:
        """One image through the graph, so that a foreign file fails here and not in a job."""
        card = self.card
        try:
            said = self.judge(np.zeros((1, 1, card.side, card.side), np.float32))
        except Exception as error:  # onnxruntime raises many types of its own
            raise BadModel(f"scorer {card.reference} does not run: {str(error).partition(chr(10))[0]}") from None
        if said.shape != (1, card.members):
            raise BadModel(f"scorer {card.reference} says {said.shape} of one image; its card promises {(1, card.members)}")
