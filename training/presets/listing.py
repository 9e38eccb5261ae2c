"""What ``python -m training presets`` lists: every preset and every scorer with its networks, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from training.architectures import summary, wgan
from training.architectures.summary import Layer
from training.presets import PRESETS, SCORER
from training.presets.eth import SKY, WORK
from training.score.networks import PlainCNN, Scorer


@dataclass(frozen=True)
class Listed:
    """One entry of the list; ``what`` says architecture, size and length in a line."""

    source: str
    data: str
    what: str
    networks: dict[str, list[Layer]]

    def to_json(self) -> dict[str, Any]:
        """Source and networks, each with its parameters and ``[name, output shape, parameters]`` of every layer."""
        counted = {
            name: {"parameters": total(rows), "layers": [list(row) for row in rows]} for name, rows in self.networks.items()
        }
        return {"networks": counted, "source": self.source}


def total(rows: list[Layer]) -> int:
    """Parameters of a network."""
    return sum(row.parameters for row in rows)


def describe() -> dict[str, Listed]:
    """Every preset by name, and the scorer."""
    found = {}
    for name, preset in PRESETS.items():
        config, network = preset.config, preset.config.network
        size = f"{config.architecture}, {network.resolution} px, bands {network.bands}"
        what = f"{size}, {config.kimg:,.0f} kimg, batch {config.batch}"
        found[name] = Listed(preset.source, preset.data, what, summary.networks(network))
    sizes = wgan.WGANConfig()
    what = f"scorer, {sizes.resolution} px, bands {sizes.bands}, trained by `score`"
    found[SCORER] = Listed(f"{WORK}, row E3", SKY, what, _scorers(sizes))
    return found


def _scorers(sizes: wgan.WGANConfig) -> dict[str, list[Layer]]:
    with torch.device("meta"):
        scorer, plain = Scorer(sizes).eval(), PlainCNN(sizes.bands, sizes.resolution).eval()
        image = torch.zeros(2, sizes.bands, sizes.resolution, sizes.resolution)
    return {
        "scorer": summary.layers(scorer, lambda: scorer(image)),
        "plain_cnn": summary.layers(plain, lambda: plain(image)),
    }
