from __future__ import annotations

import errno
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from PIL import Image

from galaxies.encode import Encoded, encode
from galaxies.jobs import Job, ModelRef, Phase
from galaxies.latents import truncate, z_from_seed
from galaxies.pixels import physical
from galaxies.product import Product
from galaxies.requests import OPERATIONS
from models.generator import OnnxGenerator
from models.publish import publish
from models.store import BUNDLED, ModelStore
from models.versions import Version
from tests.strategies import arithmetic_body, generate_body, interpolate_body, mix_body
from tests.tiny_models import publish_style, publish_z
from tests.worker_fakes import Bench, bench, make_job, unfinished, wait_until
from worker.room import Occupied
from worker.tickets import Stopped

BODIES = {
    "generate": generate_body([1, 2, 3]),
    "interpolate": interpolate_body(5),
    "mix": mix_body(2, 2),
    "arithmetic": arithmetic_body([1.0, -1.0, 1.0]),
}
EVERY = [(operation, format_) for operation, type_ in OPERATIONS.items() for format_ in type_.formats]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def style(store: Path) -> Version:
    return publish_style(store)


@pytest.fixture(scope="module")
def zonly(store: Path) -> Version:
    return publish_z(store)


@pytest.fixture
def worker(store: Path, style: Version, zonly: Version, tmp_path: Path) -> Iterator[Bench]:
    with bench(store, tmp_path / "results") as running:
        yield running


def result_bytes(worker: Bench, job: Job) -> bytes:
    assert job.phase == Phase.COMPLETED, job.failure
    assert job.result is not None
    data = worker.results.read(job.result_key)
    assert len(data) == job.result.bytes
    return data


def arrays(worker: Bench, job: Job) -> np.ndarray:
    """Images of an npz result."""
    with np.load(io.BytesIO(result_bytes(worker, job)), allow_pickle=False) as found:
        images: np.ndarray = found["images"]
    return images


def scratch(worker: Bench) -> list[Path]:
    return unfinished(worker.results.root)


@pytest.mark.parametrize(("operation", "format_"), EVERY)
def test_every_operation_in_every_format(worker: Bench, style: Version, operation: str, format_: str) -> None:
    job = worker.run(style.card, BODIES[operation] | {"format": format_})
    assert result_bytes(worker, job)
    assert job.result is not None
    assert job.result.format == format_
    assert job.done == job.total
    assert scratch(worker) == []


@pytest.mark.parametrize("operation", ["generate", "interpolate", "arithmetic"])
def test_models_without_w(worker: Bench, zonly: Version, operation: str) -> None:
    body = json.loads(json.dumps(BODIES[operation]))
    body.pop("space", None)
    assert result_bytes(worker, worker.run(zonly.card, body))


def test_an_image_does_not_depend_on_its_batch(worker: Bench, style: Version) -> None:
    seeds = list(range(11))
    together = arrays(worker, worker.run(style.card, generate_body(seeds, "npz")))
    alone = [arrays(worker, worker.run(style.card, generate_body([seed], "npz")))[0] for seed in seeds]
    assert np.array_equal(together, np.stack(alone))


def test_same_request_same_pixels_after_the_result_was_lost(worker: Bench, style: Version) -> None:
    job = worker.run(style.card, generate_body([4], "png"))
    first = result_bytes(worker, job)
    worker.results.delete(job.result_key)
    assert result_bytes(worker, worker.run(style.card, generate_body([4], "png"))) == first


def test_images_are_those_of_the_bare_graphs(worker: Bench, style: Version) -> None:
    images = arrays(worker, worker.run(style.card, generate_body([9], "npz", **{"class": "merger"})))
    generator = OnnxGenerator(style)
    assert generator.w_mean is not None
    w = generator.map(z_from_seed(9, style.card.z_dim)[None], np.float32([[0, 1]]))
    ws = truncate(np.repeat(w[:, None], 4, axis=1), generator.w_mean, style.card.truncation)
    bare = generator.synthesize(ws, generator.noise_const[None])
    assert np.array_equal(images, physical(bare, style.card.normalisation))


def test_frame_0_is_the_first_galaxy(worker: Bench, style: Version) -> None:
    import zipfile

    ends = {"from": {"seed": 1, "class": "spiral"}, "to": {"seed": 2, "class": "spiral"}}
    film = result_bytes(worker, worker.run(style.card, interpolate_body(4, "zip") | ends))
    single = result_bytes(worker, worker.run(style.card, generate_body([1], "zip", **{"class": "spiral"})))

    def first(data: bytes) -> np.ndarray:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = sorted(name for name in archive.namelist() if name.endswith(".png"))[0]
            return np.asarray(Image.open(io.BytesIO(archive.read(name))))

    assert np.array_equal(first(film), first(single))


def test_big_jobs_go_through_a_file_and_give_the_same(store: Path, worker: Bench, style: Version, tmp_path: Path) -> None:
    body = generate_body(list(range(20)), "npz")
    in_memory = arrays(worker, worker.run(style.card, body))
    with bench(store, tmp_path / "other", memory_images=1000) as filed:
        assert np.array_equal(arrays(filed, filed.run(style.card, body)), in_memory)
        assert scratch(filed) == []


def test_a_result_that_exists_completes_without_rendering(worker: Bench, style: Version) -> None:
    first = worker.run(style.card, generate_body([1]))
    batches = worker.engine.batches
    second = worker.run(style.card, generate_body([1]))
    assert second.result == first.result
    assert worker.engine.batches == batches


def test_jobs_of_one_message_end_each_in_its_own_way(worker: Bench, style: Version, zonly: Version) -> None:
    stored = worker.run(style.card, generate_body([1]))
    bodies = [generate_body([1]), generate_body([2]), interpolate_body(5), generate_body([3])]
    cards = [style.card, zonly.card, style.card, style.card]
    jobs = [worker.records.add(make_job(card, body)) for card, body in zip(cards, bodies, strict=True)]
    other = ModelRef(name=style.card.name, version=style.card.version, digest="sha256:other")
    foreign = worker.records.add(make_job(style.card, generate_body([4]), model=other))
    worker.renderer.render([*(job.id for job in jobs), "no such job", foreign.id])
    ended = [worker.records.jobs[job.id] for job in jobs]
    assert [job.phase for job in ended] == [Phase.COMPLETED] * 4
    assert ended[0].result == stored.result
    assert len({result_bytes(worker, job) for job in ended}) == 4
    assert worker.records.jobs[foreign.id].phase == Phase.ERROR
    assert scratch(worker) == []


def test_a_job_of_a_message_ends_before_the_others_do(store: Path, worker: Bench, style: Version) -> None:
    slow = publish_style(store, "slow-too", cost=300)
    long, short = (worker.records.add(make_job(slow.card, body)) for body in (interpolate_body(400), generate_body([1])))
    thread = threading.Thread(target=worker.renderer.render, args=([long.id, short.id],))
    thread.start()
    wait_until(lambda: worker.records.jobs[short.id].phase == Phase.COMPLETED)
    assert worker.records.jobs[long.id].phase == Phase.EXECUTING
    worker.records.cancelled.add(long.id)
    thread.join(10)
    assert worker.records.jobs[long.id].phase == Phase.ABORTED


@pytest.mark.parametrize(
    ("weights", "space", "format_"), [([1.0, -1.0], "z", "fits"), ([1.0, -1.0], "z", "png"), ([1000.0, 1.0], "w", "png")]
)
def test_a_galaxy_that_a_model_makes_no_numbers_of_is_an_error_of_input(
    tmp_path: Path, weights: list[float], space: str, format_: str
) -> None:
    terms = [{"latent": {"seed": 1}, "weight": weight} for weight in weights]
    body = {"operation": "arithmetic", "terms": terms, "space": space, "format": format_}
    with bench(BUNDLED, tmp_path / "results") as worker:
        job = worker.run(ModelStore().get("sdss-gz1-64").card, body)
    assert job.phase == Phase.ERROR
    assert job.failure is not None
    assert job.failure.kind == "input"
    assert "galaxy 0 (of 1, the first is 0) has pixels that are no finite numbers" in job.failure.message
    counted = worker.renderer.metrics.registry.get_sample_value
    for outcome, jobs in {"failed": 0, "refused": 1}.items():
        assert counted("galsynth_worker_jobs_total", {"operation": "arithmetic", "outcome": outcome}) == jobs


def test_a_delivery_after_the_end_changes_nothing(worker: Bench, style: Version) -> None:
    job = worker.run(style.card, generate_body([1]))
    worker.renderer.render([job.id])
    worker.renderer.render(["no such job"])
    assert worker.records.jobs[job.id] == job


def test_the_same_job_twice_at_once_ends_once_and_well(worker: Bench, style: Version) -> None:
    job = worker.records.add(make_job(style.card, interpolate_body(60)))
    threads = [threading.Thread(target=worker.renderer.render, args=([job.id],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert result_bytes(worker, worker.records.jobs[job.id])
    assert scratch(worker) == []


def test_cancel_aborts_and_leaves_nothing(store: Path, worker: Bench) -> None:
    slow = publish_style(store, "slow", cost=300)
    job = worker.records.add(make_job(slow.card, interpolate_body(2000)))
    thread = threading.Thread(target=worker.renderer.render, args=([job.id],))
    thread.start()
    wait_until(lambda: max(worker.records.done.get(job.id, [0])) > 0, 30)
    worker.records.cancelled.add(job.id)
    thread.join(5)
    assert not thread.is_alive()
    assert worker.records.jobs[job.id].phase == Phase.ABORTED
    assert worker.results.find(job.result_key) is None
    assert scratch(worker) == []
    moved = worker.records.done[job.id]
    assert moved == sorted(moved)
    assert moved[-1] < 2000


@pytest.mark.parametrize("format_", ["gif", "webp", "mp4", "zip", "fits", "npz"])
def test_cancel_while_the_result_is_encoded_stops_at_the_next_image(
    worker: Bench, style: Version, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    images = []

    def cancelling(product: Product, path: Path, created: Any, on_image: Any) -> Encoded:
        def look(index: int) -> None:
            images.append(index)
            if len(images) == 20:
                with worker.watch._lock:
                    (running,) = worker.watch._running
                running.cancel()
            on_image(index)

        return encode(product, path, created, look)

    monkeypatch.setattr("worker.render.encode", cancelling)
    body = generate_body(list(range(500)), format_) if format_ == "npz" else interpolate_body(500, format_)
    job = worker.run(style.card, body)
    assert job.phase == Phase.ABORTED
    assert len(images) <= 21, "Pillow's WebP writer seeks back to where it was when it fails"
    assert worker.results.find(job.result_key) is None
    assert scratch(worker) == []


@pytest.mark.parametrize("format_", ["webp", "zip", "fits", "npz"])
def test_encoding_begins_while_images_are_made_and_takes_none_that_is_not_there(
    store: Path, worker: Bench, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    asked, had = [], []

    def watching(product: Product, path: Path, created: Any, on_image: Any) -> Encoded:
        (running,) = worker.watch._running
        ticket = running.ticket
        assert ticket is not None

        def look(index: int) -> None:
            asked.append(ticket.done)
            on_image(index)
            had.append(ticket.done - index)

        return encode(product, path, created, look)

    slow = publish_style(store, f"streaming-{format_}", cost=300)
    monkeypatch.setattr("worker.render.encode", watching)
    body = generate_body(list(range(100)), format_) if format_ in ("zip", "npz") else interpolate_body(100, format_)
    job = worker.run(slow.card, body)
    assert job.phase == Phase.COMPLETED, job.failure
    assert asked[0] < 100
    assert min(had) >= 1


def test_a_job_whose_worker_stops_is_queued_again_and_not_aborted(store: Path, worker: Bench) -> None:
    slow = publish_style(store, "stopping", cost=300)
    job = worker.records.add(make_job(slow.card, interpolate_body(2000)))
    raised: list[BaseException] = []

    def render() -> None:
        try:
            worker.renderer.render([job.id])
        except Stopped as error:
            raised.append(error)

    thread = threading.Thread(target=render)
    thread.start()
    wait_until(lambda: max(worker.records.done.get(job.id, [0])) > 0, 30)
    worker.watch.stop()
    worker.engine.stop()
    thread.join(5)
    assert len(raised) == 1
    assert worker.records.jobs[job.id].phase == Phase.QUEUED
    assert worker.records.jobs[job.id].attempts == 0
    assert scratch(worker) == []


def test_a_model_that_is_not_the_accepted_one_is_one_clear_error(worker: Bench, style: Version) -> None:
    job = make_job(style.card, generate_body([1]))
    other = job.model_copy(update={"model": job.model.model_copy(update={"digest": "sha256:" + "0" * 64})})
    worker.records.add(other)
    worker.renderer.render([other.id])
    ended = worker.records.jobs[other.id]
    assert ended.failure is not None
    assert ended.failure.kind == "model"
    assert "accepted" in ended.failure.message


@pytest.mark.parametrize("damage", ["truncated", "tampered", "missing", "foreign"])
def test_a_damaged_model_fails_its_job_and_not_the_worker(worker: Bench, store: Path, style: Version, damage: str) -> None:
    version = publish_style(store, f"bad-{damage}") if damage != "foreign" else _foreign(store)
    path = version.folder / "synthesis.onnx"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "tampered":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif damage == "missing":
        path.unlink()
    job = worker.run(version.card, generate_body([1]))
    assert job.phase == Phase.ERROR
    assert job.failure is not None
    assert job.failure.kind == "model"
    assert f"bad-{damage}" in job.failure.message
    assert "Traceback" not in job.failure.message
    assert worker.run(style.card, generate_body([77])).phase == Phase.COMPLETED


def _foreign(store: Path) -> Version:
    """A version whose digests are right and whose graph is that of another kind of model."""
    from galaxies.cards import CardFile
    from models.versions import describe

    other = publish_z(store, "bad-other")
    aside = store / ".aside"
    aside.mkdir()
    right = publish_style(store, "bad-right")
    files: dict[str, CardFile] = {}
    for name, entry in right.card.files.items():
        source = other.folder / "generator.onnx" if name == "synthesis.onnx" else right.folder / name
        (aside / name).write_bytes(source.read_bytes())
        files[name] = describe(aside / name, entry.role)
    card = right.card.model_copy(update={"name": "bad-foreign", "files": files, "digest": ""})
    (aside / "card.json").write_text(card.model_dump_json())
    return publish(aside, store)


def _raise(error: BaseException) -> Any:
    def encode(product: Product, path: Path, created: Any, on_image: Any) -> Encoded:
        path.write_bytes(b"half")
        raise error

    return encode


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "transient"),
        (MemoryError(), "transient"),
        (ZeroDivisionError("secret detail"), "internal"),
    ],
)
def test_failures_become_data_and_leave_nothing_half_written(
    worker: Bench, style: Version, monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: str
) -> None:
    monkeypatch.setattr("worker.render.encode", _raise(error))
    job = worker.run(style.card, generate_body([5]))
    assert job.failure is not None
    assert job.failure.kind == kind
    assert "secret" not in job.failure.message
    assert worker.results.find(job.result_key) is None
    assert scratch(worker) == []


def test_a_full_disk_for_big_images_is_transient(
    store: Path, style: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with bench(store, tmp_path / "full", memory_images=0) as worker:
        job = worker.run(style.card, generate_body([1]))
        assert job.failure is not None
        assert job.failure.kind == "transient"
        assert scratch(worker) == []


def test_the_end_of_a_job_waits_for_the_record_store(worker: Bench, style: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = worker.records.complete_many
    calls: list[Any] = []

    def away(jobs: Any) -> list[bool]:
        calls.extend(jobs)
        if jobs and len(calls) < 4:
            raise redis.ConnectionError("gone")
        return complete(jobs)

    monkeypatch.setattr("worker.insist.RETRY_SECONDS", 0)
    monkeypatch.setattr(worker.records, "complete_many", away)
    job = worker.run(style.card, generate_body([6]))
    assert (job.phase, job.attempts, len(calls)) == (Phase.COMPLETED, 1, 4)


def test_a_worker_that_stops_does_not_wait_for_the_record_store(
    worker: Bench, style: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(jobs: Any) -> list[bool]:
        if not jobs:
            return []
        worker.engine.stop()
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(worker.records, "complete_many", gone)
    with pytest.raises(redis.ConnectionError):
        worker.run(style.card, generate_body([6]))


def test_a_job_whose_lease_is_lost_publishes_nothing(worker: Bench, style: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    add = worker.watch.add

    def lose(running: Any) -> None:
        add(running)
        running.cancel(lost=True)

    monkeypatch.setattr(worker.watch, "add", lose)
    job = worker.run(style.card, generate_body([8]))
    assert (job.phase, job.attempts) == (Phase.QUEUED, 0), "it goes back, and its worker lives"
    assert worker.results.find(job.result_key) is None


def test_a_job_that_finds_another_alone_on_this_worker_is_not_begun(
    worker: Bench, style: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.render.PATIENCE_SECONDS", 0.01)
    job = worker.records.add(make_job(style.card, generate_body([9])))
    with worker.renderer.room.alone(), pytest.raises(Occupied):
        worker.renderer.render([job.id])
    assert worker.records.jobs[job.id] == job
    worker.renderer.render([job.id])
    assert worker.records.jobs[job.id].phase == Phase.COMPLETED
