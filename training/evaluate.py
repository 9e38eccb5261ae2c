"""``evaluate``: how good an exported model is, and whether it copies, beside what real galaxies score among themselves.

The exported ONNX is judged, through the class that serves, without truncation and with fresh noise an image. Image i is that of
seed i, so the numbers follow from the model, the counts and one seed. Measurements are kept under a cache folder: nothing is
done twice, and a killed evaluation goes on where it was.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxies.cards import ModelCard
from galaxies.errors import BadInput
from models.generator import OnnxGenerator, choose_device
from models.settings import extra_roots
from models.store import BUNDLED, ModelStore
from models.versions import in_store, read_exported
from training.aside import write_picture
from training.data.archive import Archive
from training.device import find_device
from training.journal import read_log
from training.metrics import memorisation, physical
from training.metrics.chunks import Chunks, Progress
from training.metrics.inception import FeatureNetwork
from training.metrics.inception_score import inception_score, load_last_layer
from training.metrics.neighbours import nearest_cropped_l1, nearest_mse
from training.metrics.perceptual import perceptual
from training.metrics.pool import MeasuringPool
from training.metrics.samples import Samples, generated, pictures, real, rendering
from training.metrics.scores import find_scorer, scores
from training.report import summary
from training.report.attach import attach
from training.report.pictures import COLUMNS, grid
from training.report.write import samples
from training.report.write import write as write_report

CHUNK = 512
GATE_IMAGES = 2000
SHOWN_FROM = 200
SHOWN_NEIGHBOURS = 4
SHOWN_NEAREST = 6

Features = NDArray[np.float32]


@dataclass(frozen=True)
class EvaluateOptions:
    """``count`` images are generated; measurements are kept under ``cache``; ``network`` is the FID network's file.

    ``physical`` galaxies are measured by photutils and statmorph (0: none), each within ``seconds_an_image``. ``run`` is the run
    folder, for its training curves. ``full_network`` is the official Inception file with its last layer, for the Inception Score.
    ``scorer`` is an exported or published scorer; without one the newest of the model stores that fits, if any.
    ``seed`` decides random splits and bootstraps, never the generated images.
    """

    count: int
    cache: Path
    network: Path
    device: str = "cpu"
    precision: str = "bfloat16"
    threads: int = 2
    full_network: Path | None = None
    seed: int = 0
    physical: int = 1000
    seconds_an_image: float = 20.0
    run: Path | None = None
    scorer: Path | None = None


@dataclass(frozen=True)
class Subject:
    """The model under evaluation and the images that it is compared with, all at the model's side."""

    card: ModelCard
    generator: OnnxGenerator
    archive: Archive
    generated: Samples
    training: Samples
    held_out: Samples


def evaluate(folder: Path, archive: Archive, options: EvaluateOptions, progress: Progress) -> dict[str, Any]:
    """Measure the exported model in ``folder``; write its report, a sample sheet and the figures of its card.

    Returns the report. The folder changes only at the end, and all at once (`training.report.attach`).

    Raises
    ------
    BadModel : the folder holds no exported model.
    BadInput : the model is published already, the archive is not the one that it was trained on, or an option is wrong.
    """
    network = FeatureNetwork(options.network, find_device(options.device), options.precision, options.threads)
    last_layer = None if options.full_network is None else load_last_layer(options.full_network)
    if options.run is not None:
        read_log(options.run)
    subject = _subject(folder, archive, options)
    archive = subject.archive
    store = ModelStore([BUNDLED, *extra_roots()])
    scorer = find_scorer(options.scorer, store, subject.card)
    chunks = Chunks(options.cache, progress)  # so far nothing was computed: what is wrong is found out before the hours
    clock = _Clock()
    report: dict[str, Any] = {
        "model": subject.card.reference,
        "dataset": archive.manifest["digest"],
        "seed": options.seed,
        "psi": 1.0,
        "display": subject.card.display,
    }
    report["perceptual"] = _perceptual(subject, network, last_layer, options.seed, chunks)
    clock.lap("perceptual")
    report["memorisation"] = _memorisation(subject, options, chunks)
    report["nearest"] = _nearest(subject, options, chunks)
    clock.lap("memorisation")
    if options.physical:
        report["physical"] = _physical(subject, options, chunks)
        clock.lap("physical")
    if scorer is not None:
        judged = subject.generated, archive, chunks, options.seed, options.threads
        report["score"] = scores(scorer, subject.card, *judged)
        clock.lap("score")
    report["seconds"] = clock.laps
    _write(folder, subject, report, options.run)
    return report


def _subject(folder: Path, archive: Archive, options: EvaluateOptions) -> Subject:
    version = read_exported(folder)
    card = version.card
    if in_store(version):
        raise BadInput(
            f"{folder} is the published version {card.reference}, which never changes: evaluate the folder that `export` made, "
            "before it is published, or a copy of this one elsewhere"
        )
    if card.training.get("dataset_digest") != archive.manifest["digest"]:
        raise BadInput(_other_archive(folder, card, archive))
    archive = archive.at(card.resolution)
    device = choose_device("auto" if options.device == "cuda" else "cpu", options.threads)
    generator = OnnxGenerator(version, device)
    return Subject(
        card,
        generator,
        archive,
        generated(generator, options.count),
        real("training images", archive, archive.training()),
        real("held-out images", archive, np.flatnonzero(archive.held_out)),
    )


def _other_archive(folder: Path, card: ModelCard, archive: Archive) -> str:
    """Why the archive is refused, and what helps."""
    ours, theirs = archive.manifest, card.training
    return (
        f"{folder} was trained on {theirs.get('dataset', 'a data set')} ({theirs.get('dataset_digest', 'digest not known')}, "
        f"{theirs.get('images', '?')} training images), and this archive is {ours.get('name', 'another')} ({ours['digest']}, "
        f"{len(archive.training())}): give the archive of its training. The same `prepare` command on the same files makes it "
        "again, byte for byte, in the same version of this program; if it is gone, train and export on the archive that there is"
    )


def _perceptual(
    subject: Subject, network: FeatureNetwork, last_layer: Features | None, seed: int, chunks: Chunks
) -> dict[str, Any]:
    def features(samples: Samples) -> Features:
        def make(start: int, stop: int, tick: Any) -> Features:
            return network.features(pictures(samples.signed(start, stop), subject.card), tick)

        follows_from = [samples.name, rendering(subject.card), network.name]
        return chunks.rows(samples.what, follows_from, samples.count, CHUNK, make).astype(np.float32)

    fake, train = features(subject.generated), features(subject.training)
    held_out = features(subject.held_out) if subject.held_out.count else train[:0]
    found = perceptual(fake, train, held_out, seed, chunks.progress)
    if last_layer is not None:
        mean, deviation = inception_score(fake, last_layer)
        found["inception_score"] = {"value": mean, "deviation": deviation, "n_generated": len(fake)}
    return found


def _memorisation(subject: Subject, options: EvaluateOptions, chunks: Chunks) -> dict[str, Any]:
    """The gate on the first `GATE_IMAGES` generated images."""
    training = subject.training.signed(0, subject.training.count)
    k = min(memorisation.NEIGHBOURS, len(training))

    def distances(what: str, samples: Samples, count: int, k: int) -> Features:
        def make(start: int, stop: int, tick: Any) -> Features:
            return nearest_mse(samples.signed(start, stop), training, k, tick).distance

        follows_from = ["nearest-mse", samples.name, subject.training.name, rendering(subject.card), k]
        return chunks.rows(what, follows_from, count, CHUNK, make).astype(np.float32)

    if subject.held_out.count >= memorisation.FEWEST_HELD_OUT:
        unseen = distances("held-out to training", subject.held_out, subject.held_out.count, k)
        reference = memorisation.Reference(unseen, "held-out images")
    else:  # every image finds itself first
        count = min(subject.training.count, GATE_IMAGES)
        others = distances("training to training", subject.training, count, min(k + 1, len(training)))[:, 1:]
        reference = memorisation.Reference(others, "training images, each against the others, because too few are held out")
    fake = distances("generated to training", subject.generated, min(options.count, GATE_IMAGES), reference.distances.shape[1])
    return memorisation.gate(fake, reference, options.seed)


def _nearest(subject: Subject, options: EvaluateOptions, chunks: Chunks) -> dict[str, Any]:
    """The nearest training images of the first generated images, by both published measures, the closest matches first."""
    training = subject.training.signed(0, subject.training.count)
    fake = subject.generated.signed(0, min(options.count, SHOWN_FROM))
    found: dict[str, Any] = {}
    for name, search in (("mse", nearest_mse), ("cropped_l1", nearest_cropped_l1)):
        near = search(fake, training, SHOWN_NEIGHBOURS, partial(_tell, chunks, f"nearest, {name}", len(fake)))
        order = np.argsort(near.distance[:, 0])[:SHOWN_NEAREST]
        found[name] = [
            {
                "seed": int(i),
                "training_index": near.index[i].tolist(),
                "file": [str(subject.archive.files[subject.archive.training()[j]]) for j in near.index[i]],
                "symmetry": near.symmetry[i].tolist(),
                "distance": near.distance[i].tolist(),
            }
            for i in order
        ]
    return {"searched": len(fake), **found}


def _tell(chunks: Chunks, what: str, total: int, done: int) -> None:
    chunks.progress(what, done, total)


def _physical(subject: Subject, options: EvaluateOptions, chunks: Chunks) -> dict[str, Any]:
    """Generated galaxies against training galaxies, beside other training galaxies against the same, all of one size."""
    order = np.random.default_rng(options.seed).permutation(subject.archive.training())
    size = min(options.physical, options.count, len(order) // 2)
    sets = (
        replace(subject.generated, count=size),
        real("training images", subject.archive, order[:size]),
        real("other training images", subject.archive, order[len(order) // 2 :][:size]),
    )
    with MeasuringPool(options.threads, options.seconds_an_image) as pool:
        fake, reference, floor = (physical.measure(one, subject.card, pool, chunks) for one in sets)
    return physical.distributions(fake, reference, floor, subject.card, options.seed)


def _write(folder: Path, subject: Subject, report: dict[str, Any], run: Path | None) -> None:
    """Report, sample sheet and card."""

    def write(aside: Path) -> None:
        write_report(aside, subject.generator, subject.archive, report, run)
        write_picture(aside / "samples.png", sample_sheet(subject.generator))

    attach(folder, subject.card.model_copy(update={"metrics": card_metrics(report)}), write)


def card_metrics(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of a report that belong on the card."""
    verdict = report["memorisation"]
    kept = ("passed", "failures", "reference", "n_generated", "n_reference")
    physical_ = {"physical": summary.physical(report["physical"])} if "physical" in report else {}
    score = {"score": summary.score(report["score"])} if "score" in report else {}
    return {**report["perceptual"], **physical_, **score, "memorisation": {key: verdict[key] for key in kept}}


class _Clock:
    """Seconds of wall time and of processor time, stage by stage (child processes included once they ended)."""

    def __init__(self) -> None:
        self.laps: dict[str, dict[str, float]] = {}
        self._last = self._now()

    def lap(self, stage: str) -> None:
        now = self._now()
        self.laps[stage] = {key: round(now[key] - self._last[key], 1) for key in now}
        self._last = now

    @staticmethod
    def _now() -> dict[str, float]:
        used = os.times()
        return {"wall": time.monotonic(), "processor": used.user + used.system + used.children_user + used.children_system}


def sample_sheet(generator: OnnxGenerator) -> Image.Image:
    """Untruncated samples, not chosen: seeds 0 … 9, a row a class (or 60 seeds where there are no classes)."""
    sheet = grid(pictures(samples(generator, 1.0), generator.card), COLUMNS)
    return Image.fromarray(sheet if sheet.shape[-1] == 3 else sheet[..., 0])
