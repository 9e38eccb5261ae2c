from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxies.errors import BadInput, BadModel
from models.generator import CPU, CUDA, Device, OnnxGenerator, choose_device
from models.store import ModelStore
from tests.tiny_models import publish_style, publish_z
from worker import loaded
from worker.loaded import MAP_PROBES, WEIGHT_COPIES, LoadedModels, batch_of, batch_probes, images_ignore_batch

PLENTY = 2**30


def test_a_version_is_loaded_once_by_many_threads(tmp_path: Path) -> None:
    version, models, found = publish_style(tmp_path), LoadedModels(Device(), 4, PLENTY), []
    threads = [threading.Thread(target=lambda: found.append(models.get(version))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model in found}) == 1


def test_what_was_used_last_stays_within_the_memory_and_the_rest_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.loaded.resident_bytes", lambda: 0)
    versions = [publish_z(tmp_path, f"m{i}") for i in range(3)]
    size = WEIGHT_COPIES * sum(file.bytes for file in versions[0].card.files.values())
    models = LoadedModels(Device(), 4, 2 * size + size // 2)
    first = weakref.ref(models.get(versions[0]).generator)
    models.get(versions[1])
    models.get(versions[0])  # m1 is now the one longest unused
    models.get(versions[2])
    assert models.references() == ["m0@1", "m2@1"]
    assert first() is not None
    models.get(versions[1])
    gc.collect()
    assert first() is None


def test_what_loading_takes_counts_and_one_model_stays_however_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = iter(range(0, 2**40, 2**30))
    monkeypatch.setattr("worker.loaded.resident_bytes", lambda: next(grown))
    models = LoadedModels(Device(), 4, 2**30 + 2**29)
    for name in ("m0", "m1"):
        models.get(publish_z(tmp_path, name))
    assert models.references() == ["m1@1"]
    monkeypatch.undo()
    assert loaded.resident_bytes() > 2**20


def test_a_bad_model_is_not_kept(tmp_path: Path) -> None:
    version, models = publish_z(tmp_path), LoadedModels(Device(), 4, PLENTY)
    path = version.folder / "generator.onnx"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.raises(BadModel):
        models.get(version)
    path.write_bytes(whole)
    assert models.get(version).card == version.card


def test_a_model_that_runs_with_one_galaxy_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = OnnxGenerator.generate

    def of_one(self: Any, z: np.ndarray) -> np.ndarray:
        if len(z) > 1:
            raise ValueError("Got: 2 Expected: 1")
        return generate(self, z)

    monkeypatch.setattr(OnnxGenerator, "generate", of_one)
    with pytest.raises(BadModel, match="model tiny-z@1 does not run in batches: Got: 2"):
        LoadedModels(Device(), 4, PLENTY).get(publish_z(tmp_path))


def test_a_model_whose_every_galaxy_is_of_no_finite_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"^model tiny-style@1 makes pixels that are no finite numbers$"):
        LoadedModels(Device(), 4, PLENTY).get(publish_style(tmp_path, finite=False))


def test_batches_of_a_model_whose_images_depend_on_them_are_filled_up_to_sizes_that_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = OnnxGenerator.generate

    def sensitive(self: Any, z: np.ndarray) -> np.ndarray:
        images: np.ndarray = generate(self, z)
        return images + np.float32(1e-6) * (len(z) not in (2, 8, 12))

    version = publish_z(tmp_path)
    assert LoadedModels(Device(), 12, PLENTY).get(version).buckets == ()
    monkeypatch.setattr(OnnxGenerator, "generate", sensitive)
    model = LoadedModels(Device(), 12, PLENTY).get(version)
    assert model.buckets == (2, 8, 12)
    assert [model.bucket(rows) for rows in (1, 2, 3, 8, 9, 12)] == [2, 2, 8, 8, 12, 12]


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_model_is_warmed_with_as_many_batches_at_a_time_as_will_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: int
) -> None:
    generate, inside, most = OnnxGenerator.generate, set[int](), 0
    all_there = threading.Barrier(parallel)

    def counted(self: Any, z: np.ndarray) -> np.ndarray:
        nonlocal most
        inside.add(threading.get_ident())
        if len(z) == 4 and threading.current_thread() is not threading.main_thread():
            all_there.wait(20)
        most = max(most, len(inside))
        images = generate(self, z)
        inside.discard(threading.get_ident())
        return images

    monkeypatch.setattr(OnnxGenerator, "generate", counted)
    LoadedModels(Device(), 4, PLENTY, parallel=parallel).get(publish_z(tmp_path))
    assert most == parallel


@pytest.mark.parametrize("reference", [v.card.reference for v in ModelStore().versions()[0]])
def test_images_of_bundled_models_do_not_depend_on_the_batch(reference: str) -> None:
    """To the bit on a CPU; a machine where this fails fills batches up (`LoadedModel.buckets`) and is as exact, but slower."""
    generator = OnnxGenerator(ModelStore().get(reference))
    assert images_ignore_batch(generator, MAP_PROBES, [1, 2, 3, 4, 5, 8, 17])


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1]), (4, [1, 2, 3, 4]), (24, [1, 2, 3, 4, 5, 6, 7, 8, 16, 24])])
def test_sizes_that_are_tried(batch_size: int, sizes: list[int]) -> None:
    assert batch_probes(batch_size) == sizes


@pytest.mark.parametrize("graph", ["map", "synthesize"])
def test_a_difference_in_the_last_row_of_one_size_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: str) -> None:
    bare = getattr(OnnxGenerator, graph)

    def sensitive(self: Any, *inputs: np.ndarray) -> np.ndarray:
        rows: np.ndarray = bare(self, *inputs).copy()
        if len(rows) == 7:
            rows[-1] += np.float32(1e-6)
        return rows

    monkeypatch.setattr(OnnxGenerator, graph, sensitive)
    assert LoadedModels(Device(), 8, PLENTY).get(publish_style(tmp_path)).buckets


@pytest.mark.parametrize(
    ("resolution", "batch_size", "galaxies"), [(64, 8, 8), (256, 8, 8), (512, 8, 2), (1024, 8, 1), (1000, 32, 2), (64, 99, 99)]
)
def test_a_batch_of_large_images_has_as_many_pixels(resolution: int, batch_size: int, galaxies: int) -> None:
    assert batch_of(resolution, batch_size) == galaxies


def test_cuda_without_a_gpu_is_refused_in_words() -> None:
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine's ONNX Runtime has CUDA")
    with pytest.raises(BadInput, match="galsynth\\[gpu\\]"):
        choose_device("cuda")
    assert choose_device("auto").providers == ("CPUExecutionProvider",)


def test_auto_takes_the_cpu_where_cuda_is_installed_and_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    if (cpu := choose_device("auto")).providers[0] != CPU:
        pytest.skip("this machine has a GPU that works")
    monkeypatch.setattr("models.generator.has_cuda", lambda: True)
    assert choose_device("auto") == cpu
    assert choose_device("cuda", index=1) == Device((CUDA, CPU), strict=True, index=1, bound=True)


def test_what_is_bound_to_buffers_is_run_by_the_engine_alone(tmp_path: Path) -> None:
    version = publish_style(tmp_path)
    assert LoadedModels(Device(), 8, PLENTY).get(version).shared
    assert not LoadedModels(Device(bound=True), 8, PLENTY).get(version).shared


def test_a_session_that_falls_back_is_refused(tmp_path: Path) -> None:
    version = publish_z(tmp_path)
    with pytest.raises(BadInput, match="fell back"):
        OnnxGenerator(version, Device(("NoSuchProvider", "CPUExecutionProvider"), strict=True))
