"""The exported generator: ONNX sessions and the buffers beside them. The only import of onnxruntime; scorers use it from here."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from safetensors.numpy import load_file

from galaxies.errors import BadInput, BadModel, GalaxyError
from galaxies.latents import z_from_seed
from models.versions import Published, Version, verify

Array = NDArray[np.float32]


DeviceName = Literal["cpu", "cuda", "auto"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_IDENTITY = bytes.fromhex(
    "080812003a3b0a100a017812017922084964656e74697479120570726f62655a0f0a0178120a0a08080112040a020801620f0a0179120a0a0808011204"
    "0a02080142040a001011"
)
"""An ONNX graph of one node, y = x (IR version 8, operator set 17)."""


@dataclass(frozen=True)
class Device:
    """Where sessions run. ``threads`` are ONNX Runtime's own (0: as many as it likes).

    ``index`` is the GPU's number. With ``bound`` the buffers of inputs and outputs are made once for each batch size and stay on
    the device; that is done on a GPU, and gives the same on a CPU. With ``strict`` a session that ends up on another provider
    than the first of ``providers`` is an error: ONNX Runtime itself falls back to the CPU without a word.
    """

    providers: tuple[str, ...] = (CPU,)
    threads: int = 1
    strict: bool = False
    index: int = 0
    bound: bool = False

    def options(self) -> list[dict[str, str]]:
        """Options of each provider, as ONNX Runtime wants them."""
        return [{"device_id": str(self.index)} if name == CUDA else {} for name in self.providers]


def choose_device(name: DeviceName, threads: int = 1, index: int = 0) -> Device:
    """The device called ``name``; ``auto`` is GPU number ``index`` where ONNX Runtime can use it, which is tried, else the CPU.

    Raises
    ------
    BadInput : ``cuda`` is wanted, but the installed ONNX Runtime has no CUDA provider.
    """
    gpu = Device((CUDA, CPU), threads, strict=True, index=index, bound=True)
    if name == "cpu" or (name == "auto" and not (has_cuda() and _works(gpu))):
        return Device((CPU,), threads)
    if not has_cuda():
        raise BadInput(
            "device cuda is asked for, but the installed ONNX Runtime has no CUDA provider: install galsynth[gpu] instead of "
            "galsynth[worker], or set GALSYNTH_DEVICE=cpu",
            field="GALSYNTH_DEVICE",
        )
    return gpu


def has_cuda() -> bool:
    """Whether the installed ONNX Runtime is one for NVIDIA GPUs; there may be none, or no driver."""
    return CUDA in ort.get_available_providers()


def _works(device: Device) -> bool:
    """Whether a session on ``device`` runs there, and not on what ONNX Runtime falls back to."""
    try:
        session = _session(_IDENTITY, device)
        session.run(None, {"x": np.zeros(1, np.float32)})
    except Exception:  # onnxruntime raises many types of its own
        return False
    first: str = session.get_providers()[0]
    return first == device.providers[0]


def _session(graph: bytes, device: Device, options: Any = None) -> Any:
    ort.disable_telemetry_events()
    if CUDA in device.providers:
        _load_cuda()
    return ort.InferenceSession(graph, options, providers=list(device.providers), provider_options=device.options())


@cache
def _load_cuda() -> str:
    """Load the CUDA libraries that pip has installed, which the system's loader does not look for there; returns what is missing.

    Without them ONNX Runtime falls back to the CPU.
    """
    with contextlib.redirect_stdout(io.StringIO()) as said:  # it prints
        ort.preload_dlls(directory="")
    return said.getvalue().strip().replace("\n", "; ")


class OnnxGenerator:
    """One loaded model version. On a CPU several threads may run its graphs; with bound buffers only one may.

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
        self._device = device
        self._bindings: dict[tuple[str, int], _Binding] = {}
        self.w_mean: Array | None = None
        self.noise_const: Array = np.zeros(card.noise_size, dtype=np.float32)
        if card.has_w:
            self._load_buffers(version)
            self._map = open_session(version, "mapping", replace(device, threads=1))
            self._synthesis = open_session(version, "synthesis", device)
        else:
            self._synthesis = open_session(version, "generator", device)
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
        if not self._device.bound:
            (result,) = session.run([output], feed)
            return np.asarray(result, dtype=np.float32)
        key = (output, len(next(iter(feed.values()))))
        if key not in self._bindings:
            self._bindings[key] = _Binding(session, output, feed, self._device.index)
        return self._bindings[key].run(feed)

    def _load_buffers(self, version: Version) -> None:
        path = version.path("buffers")
        try:
            buffers = load_file(path)
            self.w_mean, self.noise_const = buffers["w_mean"], buffers["noise_const"]
        except Exception as error:  # safetensors and NumPy raise many types
            reason = str(error).partition("\n")[0]
            raise BadModel(f"model {self.card.reference}: {path.name} cannot be read: {reason}") from None
        if self.w_mean.shape != (self.card.w_dim,) or self.noise_const.shape != (self.card.noise_size,):
            raise BadModel(f"model {self.card.reference}: {path.name} does not have the shapes that its card promises")
        if self.w_mean.dtype != np.float32 or self.noise_const.dtype != np.float32:
            raise BadModel(f"model {self.card.reference}: {path.name} holds other numbers than float32")

    def _probe(self) -> None:
        """One galaxy through the graphs, so that a foreign or broken file fails here, and no job is to blame for it."""
        card = self.card
        z = z_from_seed(0, card.z_dim)[None]
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
        if not np.isfinite(images).all():
            raise BadModel(f"model {card.reference} makes pixels that are no finite numbers")


class _Binding:
    """Inputs and output of one graph at one batch size, in buffers on the device that are used again and again."""

    def __init__(self, session: Any, output: str, feed: dict[str, Array], index: int) -> None:
        self._session = session
        device = ("cpu", 0) if session.get_providers()[0] == CPU else ("cuda", index)
        self._binding = session.io_binding()
        self._inputs = {name: ort.OrtValue.ortvalue_from_numpy(np.array(a), *device) for name, a in feed.items()}
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_output(output, *device)

    def run(self, feed: dict[str, Array]) -> Array:
        """The output for ``feed``, whose arrays have the shapes that the buffers were made for."""
        for name, values in feed.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(values))
        self._session.run_with_iobinding(self._binding)
        (result,) = self._binding.copy_outputs_to_cpu()
        return np.array(result, dtype=np.float32)


def open_session(version: Published, role: str, device: Device) -> Any:
    """The graph with ``role`` of ``version``, ready to run.

    Raises
    ------
    BadModel : it is not a usable graph.
    BadInput : ``device`` is strict, and is not there.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = version.path(role)
    try:
        session = _session(path.read_bytes(), device, options)
        if device.strict and session.get_providers()[0] != device.providers[0]:
            raise BadInput(
                f"device {device.providers[0]} is asked for, but ONNX Runtime fell back to {session.get_providers()[0]}: "
                f"{_load_cuda() or 'is the GPU there, with a driver that fits CUDA?'} (or set GALSYNTH_DEVICE=cpu)",
                field="GALSYNTH_DEVICE",
            )
        return session
    except GalaxyError:
        raise
    except Exception as error:  # onnxruntime raises many types of its own
        reason = str(error).partition("\n")[0]
        raise BadModel(f"model {version.card.reference}: {path.name} is not a usable ONNX graph: {reason}") from None
