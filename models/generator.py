"""The exported generator: ONNX sessions and the buffers beside them. The only import of onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from galaxies.errors import BadInput, BadModel, GalaxyError
from models.store import Version, verify

Array = NDArray[np.float32]


DeviceName = Literal["cpu", "cuda", "auto"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True)
class Device:
    """Where sessions run. ``threads`` are ONNX Runtime's own (0: as many as it likes).

    With ``strict`` a session that ends up on another provider than the first of ``providers`` is an error: ONNX Runtime itself
    falls back to the CPU without a word.
    """

    providers: tuple[str, ...] = (CPU,)
    threads: int = 1
    strict: bool = False


def choose_device(name: DeviceName, threads: int = 1) -> Device:
    """The device called ``name``; ``auto`` is the GPU where ONNX Runtime can use one, else the CPU.

    Raises
    ------
    BadInput : ``cuda`` is wanted, but the installed ONNX Runtime has no CUDA provider.
    """
    if name == "cpu":
        return Device((CPU,), threads)
    there = CUDA in ort.get_available_providers()
    if name == "cuda" and not there:
        raise BadInput(
            "device cuda is asked for, but the installed ONNX Runtime has no CUDA provider: install galsynth[gpu] instead of "
            "galsynth[worker], or set GALSYNTH_DEVICE=cpu",
            field="GALSYNTH_DEVICE",
        )
    return Device((CUDA, CPU), threads, strict=name == "cuda") if there else Device((CPU,), threads)


class OnnxGenerator:
    """One loaded model version. Not for use by several threads at once; the worker's engine owns it.

    Style models: `map` then `synthesize`. Models without w: `generate`. Buffers: ``w_mean`` (w_dim,), ``noise_const``
    (noise_size,).

    Raises
    ------
    BadModel : a file is damaged, or a graph does not have the inputs and shapes that the card promises.
    """

    def __init__(self, version: Version, device: Device | None = None) -> None:
        device = device or Device()
        verify(version)
        self.card = card = version.card
        self.w_mean: Array | None = None
        self.noise_const: Array = np.zeros(card.noise_size, dtype=np.float32)
        if card.has_w:
            self._load_buffers(version)
            self._map = _session(version, "mapping", Device(device.providers, 1))
            self._synthesis = _session(version, "synthesis", device)
        else:
            self._synthesis = _session(version, "generator", device)
        self._probe()

    @property
    def providers(self) -> list[str]:
        """Execution providers in use, the first is the device that serves."""
        names: list[str] = self._synthesis.get_providers()
        return names

    def map(self, z: Array, onehot: Array | None = None) -> Array:
        """z (N, z_dim) and, for models with classes, class weights (N, classes) → w (N, w_dim)."""
        feed = {"z": z} if onehot is None else {"z": z, "onehot": onehot}
        return self._run(self._map, "w", feed)

    def synthesize(self, ws: Array, noise: Array) -> Array:
        """w (N, num_ws, w_dim) and noise (N, noise_size) → images (N, bands, H, W), about -1 … 1."""
        return self._run(self._synthesis, "images", {"ws": ws, "noise": noise})

    def generate(self, z: Array) -> Array:
        """z (N, z_dim) → images (N, bands, H, W); for models without w."""
        return self._run(self._synthesis, "images", {"z": z})

    def _run(self, session: Any, output: str, feed: dict[str, Array]) -> Array:
        (result,) = session.run([output], feed)
        return np.asarray(result, dtype=np.float32)

    def _load_buffers(self, version: Version) -> None:
        path = version.path("buffers")
        try:
            buffers = load_file(path)
            self.w_mean, self.noise_const = buffers["w_mean"], buffers["noise_const"]
        except (SafetensorError, KeyError, OSError) as error:
            raise BadModel(f"model {self.card.reference}: {path.name} cannot be read: {error}") from None
        if self.w_mean.shape != (self.card.w_dim,) or self.noise_const.shape != (self.card.noise_size,):
            raise BadModel(f"model {self.card.reference}: {path.name} does not have the shapes that its card promises")

    def _probe(self) -> None:
        """One image through the graphs, so that a foreign file fails here and not in a job."""
        card = self.card
        z = np.zeros((1, card.z_dim), dtype=np.float32)
        expected = (1, len(card.bands), card.resolution, card.resolution)
        try:
            if card.has_w:
                onehot = np.eye(1, len(card.classes), dtype=np.float32) if card.classes else None
                w = self.map(z, onehot)
                images = self.synthesize(np.repeat(w[:, None], card.num_ws or 1, axis=1), self.noise_const[None])
            else:
                images = self.generate(z)
        except Exception as error:  # onnxruntime raises many types of its own
            reason = str(error).partition("\n")[0]
            raise BadModel(f"model {card.reference} does not run: {reason}") from None
        if images.shape != expected:
            raise BadModel(f"model {card.reference} makes images of shape {images.shape}; its card promises {expected}")


def _session(version: Version, role: str, device: Device) -> Any:
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = version.path(role)
    try:
        session = ort.InferenceSession(path.read_bytes(), options, providers=list(device.providers))
        if device.strict and session.get_providers()[0] != device.providers[0]:
            raise BadInput(
                f"device {device.providers[0]} is asked for, but ONNX Runtime fell back to {session.get_providers()[0]}: "
                "is the GPU's driver there and does CUDA fit it? Or set GALSYNTH_DEVICE=cpu",
                field="GALSYNTH_DEVICE",
            )
        return session
    except GalaxyError:
        raise
    except Exception as error:  # onnxruntime raises many types of its own
        reason = str(error).partition("\n")[0]
        raise BadModel(f"model {version.card.reference}: {path.name} is not a usable ONNX graph: {reason}") from None
