from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from galaxies.errors import BadInput, BadModel
from models.generator import CPU, CUDA, Device, OnnxGenerator, _load_cuda
from models.publish import publish
from models.versions import Version, describe
from tests.tiny_models import publish_style, publish_z


def test_images_depend_on_every_input(tmp_path: Path) -> None:
    style, plain = OnnxGenerator(publish_style(tmp_path)), OnnxGenerator(publish_z(tmp_path))
    z = np.random.RandomState(0).randn(1, 16).astype(np.float32)
    first, second = np.float32([[1, 0]]), np.float32([[0, 1]])
    w = style.map(z, first)
    assert not np.array_equal(w, style.map(z, second))
    assert not np.array_equal(w, style.map(-z, first))
    ws = np.repeat(w[:, None], 4, axis=1)
    image = style.synthesize(ws, style.noise_const[None])
    for layer in range(4):
        changed = ws.copy()
        changed[:, layer] += 0.5
        assert not np.array_equal(style.synthesize(changed, style.noise_const[None]), image)
    assert not np.array_equal(style.synthesize(ws, np.zeros((1, 32), np.float32)), image)
    assert not np.array_equal(plain.generate(z), plain.generate(-z))


def test_bound_buffers_give_the_same_images_in_batches_of_any_size(tmp_path: Path) -> None:
    version = publish_style(tmp_path)
    plain, bound = OnnxGenerator(version), OnnxGenerator(version, Device(bound=True))
    rng = np.random.RandomState(0)
    for size in (1, 3, 1, 3, 2):
        ws, noise = rng.randn(size, 4, 8).astype(np.float32), rng.randn(size, 32).astype(np.float32)
        given = ws.copy(), noise.copy()
        images = bound.synthesize(ws, noise)
        assert np.array_equal(images, plain.synthesize(ws, noise))
        assert np.array_equal(ws, given[0])
        assert np.array_equal(noise, given[1])
        bound.synthesize(-ws, noise)
        assert np.array_equal(images, plain.synthesize(ws, noise)), "an answer is not overwritten by the next"


def test_the_gpu_that_is_chosen_is_told_to_onnx_runtime() -> None:
    assert Device((CUDA, CPU), index=2).options() == [{"device_id": "2"}, {}]


def test_cuda_libraries_that_pip_has_installed_are_loaded_before_a_session_that_wants_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def preload_dlls(directory: str | None = None) -> None:
        calls.append(f"preload {directory!r}")
        print("Failed to load libcublas.so.13")

    def session(*arguments: object, **options: object) -> object:
        calls.append("session")
        return real(*arguments, **options)

    real = ort.InferenceSession
    monkeypatch.setattr(ort, "preload_dlls", preload_dlls)
    monkeypatch.setattr(ort, "InferenceSession", session)
    _load_cuda.cache_clear()
    version = publish_z(tmp_path)
    try:
        OnnxGenerator(version)
        assert calls == ["session"], "on a CPU nothing is loaded"
        if CUDA not in ort.get_available_providers():
            with pytest.raises(BadInput, match=r"fell back to CPUExecutionProvider: Failed to load libcublas\.so\.13 \(or set"):
                OnnxGenerator(version, Device((CUDA, CPU), strict=True))
            assert calls == ["session", "preload ''", "session"]
    finally:
        _load_cuda.cache_clear()


def test_a_style_model_may_have_no_classes(tmp_path: Path) -> None:
    generator = OnnxGenerator(publish_style(tmp_path, classes=[]))
    assert generator.map(np.zeros((3, 16), np.float32)).shape == (3, 8)


def republished(version: Version, root: Path, name: str, file: str, content: bytes) -> Version:
    """A version like another with one file replaced and digests that are right."""
    (version.folder / file).write_bytes(content)
    files = version.card.files | {file: describe(version.folder / file, version.card.files[file].role)}
    card = version.card.model_copy(update={"name": name, "files": files, "digest": ""})
    (version.folder / "card.json").write_text(card.model_dump_json())
    return publish(version.folder, root)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09" * 1000])
@pytest.mark.parametrize("file", ["mapping.onnx", "synthesis.onnx", "buffers.safetensors"])
def test_foreign_files_are_one_clear_error(tmp_path: Path, file: str, content: bytes) -> None:
    version = republished(publish_style(tmp_path / "a"), tmp_path / "b", "foreign", file, content)
    with pytest.raises(BadModel, match="foreign") as error:
        OnnxGenerator(version)
    assert "\n" not in error.value.message


def test_a_graph_of_another_size_than_the_card_says_is_refused(tmp_path: Path) -> None:
    small = publish_z(tmp_path / "a")
    other = publish_z(tmp_path / "b", resolution=32)
    graph = (other.folder / "generator.onnx").read_bytes()
    with pytest.raises(BadModel, match="promises"):
        OnnxGenerator(republished(small, tmp_path / "c", "other", "generator.onnx", graph))


def test_buffers_of_another_size_are_refused(tmp_path: Path) -> None:
    small = publish_style(tmp_path / "a")
    other = publish_style(tmp_path / "b", noise_size=64)
    buffers = (other.folder / "buffers.safetensors").read_bytes()
    with pytest.raises(BadModel, match="shapes"):
        OnnxGenerator(republished(small, tmp_path / "c", "other", "buffers.safetensors", buffers))
