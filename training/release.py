"""``release``: every bundled model from its data to the store, as a chain of this program's own commands.

A step that is done is not done again, so the same command goes on where it was stopped. With ``tiny`` everything is as small as
it can be: it shows that the chain holds, not what the models can do. Scorers judge models and are none: `score` trains them.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from galaxies.errors import BadInput, GalaxyError
from models.versions import read_exported
from training import checkpoints
from training.presets import find

TOLD_TO_STOP = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Statuses with which commands of this program end that were told to stop."""
SDSS_CREDITS = "SDSS (Sloan Foundation, NSF, DOE, NASA and others); Galaxy Zoo 1 (Lintott et al. 2008, 2011)"
TINY = ("kimg=0.064", "batch=8", "precision=float32", "processes=1", "generator_from_kimg=0", "network.z_dim=8")
TINY_NETWORKS = {
    "stylegan2": ("network.channel_base=1024", "network.channel_max=8", "network.w_dim=8"),
    "dcgan": ("network.width=4",),
    "chain": ("network.width=4", "network.channels=4", "network.blocks=1"),
    "tribhuvan": ("network.width=4",),
}


@dataclass(frozen=True)
class Data:
    """One archive: options of ``prepare``, in which {sdss}, {jwst} and {out} stand for the folders given."""

    name: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """One run, and where it has a ``title`` its published model; ``before`` names the run that it starts from."""

    name: str
    data: Data
    preset: str
    settings: tuple[str, ...] = ()
    before: str = ""
    title: str = ""
    description: str = ""


@dataclass(frozen=True)
class Options:
    """Where the data are, where everything goes, and on what it runs."""

    sdss: Path | None
    jwst: Path | None
    out: Path
    store: Path
    version: str
    device: str = "cpu"
    tiny: bool = False


@dataclass(frozen=True)
class Step:
    """A command of this program, and how to know that it was done."""

    arguments: tuple[str, ...]
    done: Callable[[], bool]

    def __str__(self) -> str:
        """As it would be typed."""
        return "python -m training " + shlex.join(self.arguments)


def _sdss(resolution: int) -> Data:
    return Data(
        f"sdss-{resolution}",
        (
            "{sdss}.zip", "--csv", "{sdss}.csv", "--class-column", "gz1_class", "--object-column", "sdss_dr7_objid",
            "--max", "mean_luma=60", "--mirror", "spiral_cw:spiral_acw", "--resolution", str(resolution),
            "--pixel-scale", f"{51.2 / resolution:g}", "--name", f"sdss-gz1-{resolution}", "--credits", SDSS_CREDITS,
        ),
    )  # fmt: skip


JWST = Data(
    "jwst",
    (
        "{jwst}.zip", "--csv", "{jwst}.csv", "--where", "qa_ok=1", "--object-column", "ceers_id", "--crop", "64",
        "--bands", "F150W,F277W,F444W", "--unit", "MJy/sr", "--zero-points", "28.0865,28.0865,28.0865",
        "--wavelengths", "1.501,2.777,4.402", "--resolution", "64", "--name", "jwst-ceers",
        "--credits", "JWST CEERS (Finkelstein et al.)",
    ),
)  # fmt: skip
SIMULATED = Data(
    "jwst-simulated",
    (
        "--simulate", "ceers", "--count", "6000", "--crop", "64", "--resolution", "64", "--normalise-like", "{out}/data/jwst",
        "--name", "simulated-ceers",
    ),
)  # fmt: skip

ARCHIVES = (_sdss(64), _sdss(128), JWST, SIMULATED)
"""In the order in which they are made: the simulated set takes the real one's constants."""

MODELS = (
    Model(
        "sdss-gz1-64", ARCHIVES[0], "stylegan2-64", ("kimg=1500",),
        title="SDSS galaxies, 64 px",
        description="Class-conditional StyleGAN2 of SDSS galaxies with Galaxy Zoo 1 classes.",
    ),
    Model(
        "sdss-gz1-128", ARCHIVES[1], "stylegan2-128", ("kimg=1000",), "sdss-gz1-64",
        title="SDSS galaxies, 128 px",
        description="Class-conditional StyleGAN2 of SDSS galaxies with Galaxy Zoo 1 classes.",
    ),
    Model(
        "gz1-64-dcgan", ARCHIVES[0], "dcgan-f1-cpu",
        title="DCGAN galaxies, 64 px",
        description="Galaxies of all Galaxy Zoo 1 classes together, from the DCGAN of Fussell & Moews (2019) at width 32.",
    ),
    Model(
        "gz1-128-stackgan", ARCHIVES[1], "stackgan-f4-cpu",
        title="StackGAN galaxies, 128 px",
        description="Galaxies of all Galaxy Zoo 1 classes together, from the DCGAN and the StackGAN stage II of Fussell & Moews "
        "(2019) as one chain, narrow.",
    ),
    Model(
        "gz1-64-tribhuvan", ARCHIVES[0], "tribhuvan-t2-cpu",
        title="DCGAN galaxies of the Tribhuvan review, 64 px",
        description="Galaxies of all Galaxy Zoo 1 classes together, from the 64 px DCGAN of the Tribhuvan review (2021), narrow.",
    ),
    Model("jwst-simulated", SIMULATED, "stylegan2-jwst-sim", ("kimg=500",)),
    Model(
        "jwst-ceers", JWST, "stylegan2-jwst", (), "jwst-simulated",
        title="JWST CEERS galaxies, 64 px",
        description="Three-band StyleGAN2, trained on simulated galaxies and fine-tuned on real ones.",
    ),
)  # fmt: skip


def steps(options: Options) -> Iterator[Step]:
    """Every command in order; models whose data are not given are left out.

    Raises
    ------
    BadInput : neither data set is given, or a version is published already that is not the one of ``options.out``.
    """
    if options.sdss is None and options.jwst is None:
        raise BadInput("release needs the data: --sdss or --jwst or both, each a path without .zip and .csv")
    models = [model for model in MODELS if _given(model.data, options)]
    for model in models:
        if model.title:
            _refuse_another(model, options)
    for data in ARCHIVES:
        if _given(data, options):
            yield _prepare(data, options)
    for model in models:
        yield _train(model, options)
        if model.title:
            yield from _publish(model, options)


def release(options: Options, say: Callable[[str], None] = print) -> None:
    """Run all `steps` that are not done yet.

    Raises
    ------
    BadInput : no data are given, or a version is published already.
    GalaxyError : a step failed, and has said why, or was told to stop.
    """
    for step in steps(options):
        if step.done():
            say(f"done before: {step}")
            continue
        say(str(step))
        status = subprocess.run([sys.executable, "-m", "training", *step.arguments], check=False).returncode
        if status not in (0, *TOLD_TO_STOP):
            raise GalaxyError(f"release stopped at: {step}; mend it and give the same command again")
        if status or not step.done():
            raise GalaxyError(f"release stopped, because this was told to stop: {step}; the same command goes on")


def _given(data: Data, options: Options) -> bool:
    return (options.sdss if data.name.startswith("sdss") else options.jwst) is not None


def _prepare(data: Data, options: Options) -> Step:
    places = {"sdss": options.sdss, "jwst": options.jwst, "out": options.out}
    words = [word.format(**places) for word in data.options]
    if options.tiny and "--count" in words:
        words[words.index("--count") + 1] = "64"
    made = options.out / "data" / data.name
    return Step(("prepare", *words, "--out", str(made)), made.exists)


def _train(model: Model, options: Options) -> Step:
    run, words, preset = options.out / "runs" / model.name, ["--preset", model.preset], find(model.preset).config
    settings = (*model.settings, *((*TINY, *TINY_NETWORKS[preset.architecture]) if options.tiny else ()))
    for setting in settings:
        words += ["--set", setting]
    if model.before:
        words += ["--transfer", str(options.out / "runs" / model.before)]
    arguments = ("train", str(run), "--data", str(options.out / "data" / model.data.name), *words)
    given = [setting.removeprefix("kimg=") for setting in settings if setting.startswith("kimg=")]
    return Step(arguments, partial(checkpoints.finished, run, float(given[-1]) if given else preset.kimg))


def _publish(model: Model, options: Options) -> Iterator[Step]:
    run, exported = options.out / "runs" / model.name, _exported(model, options)
    data, count = options.out / "data" / model.data.name, "100" if options.tiny else "50000"
    style = find(model.preset).config.architecture == "stylegan2"  # what `--transfer` can go on from
    yield Step(
        (
            "export", str(run), "--out", str(exported), "--name", model.name, "--version", options.version,
            "--title", model.title, "--description", model.description, "--half", *(["--discriminator"] if style else []),
        ),
        exported.exists,
    )  # fmt: skip
    yield Step(
        (
            "evaluate", str(exported), "--data", str(data), "--run", str(run), "--count", count, "--device", options.device,
            "--cache", str(options.out / "evaluation"),
        ),
        lambda: "memorisation" in read_exported(exported).card.metrics,
    )  # fmt: skip
    allowed = ("--allow-memorised",) if options.tiny else ()
    yield Step(
        ("publish", str(exported), "--store", str(options.store), *allowed), lambda: _digest(_published(model, options)) != ""
    )


def _refuse_another(model: Model, options: Options) -> None:
    """Raise BadInput where the version is published and is not what lies in ``options.out``."""
    published = _digest(_published(model, options))
    if published and published != _digest(_exported(model, options)):
        raise BadInput(
            f"{model.name}@{options.version} is published in {options.store} already, not from {options.out}, and never changes: "
            "choose another --version",
            field="version",
        )


def _exported(model: Model, options: Options) -> Path:
    return options.out / "export" / f"{model.name}-{options.version}"


def _published(model: Model, options: Options) -> Path:
    return options.store / model.name / options.version


def _digest(folder: Path) -> str:
    """The digest of the version in ``folder``; empty where there is none."""
    return read_exported(folder).card.digest if folder.exists() else ""
