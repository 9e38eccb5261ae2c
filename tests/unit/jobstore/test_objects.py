"""Results in S3-compatible storage behave as results in a folder do; a real S3 server on this machine answers."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from galaxies.errors import BadInput, Transient
from galaxies.jobs import Result
from jobstore import objects
from jobstore.objects import ObjectResults
from jobstore.stores import results_at
from tests.s3 import s3_bucket, silent_storage
from worker.settings import WorkerSettings

KEY = "ab" * 32
DESCRIBE = Result(key="", format="png", media_type="image/png", bytes=0, digest="", width=64, height=64, images=1)


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_bucket(monkeypatch) as url:
        yield url


@pytest.fixture
def store(url: str, tmp_path: Path) -> ObjectResults:
    return ObjectResults(url, tmp_path)


def put(store: ObjectResults, content: bytes = b"galaxy", key: str = KEY) -> Result:
    with store.scratch() as folder:
        (folder / "result").write_bytes(content)
        return store.put(key, folder / "result", DESCRIBE)


def test_what_is_put_is_found_with_size_and_digest_by_everyone(store: ObjectResults, url: str, tmp_path: Path) -> None:
    result = put(store)
    other = ObjectResults(url, tmp_path / "another host")
    assert other.find(KEY) == result
    assert (result.bytes, result.digest) == (6, "sha256:" + hashlib.sha256(b"galaxy").hexdigest())
    assert other.read(KEY) == b"galaxy"
    assert [key for key, _ in other.entries()] == [KEY]


def test_what_is_not_there_is_not_found(store: ObjectResults) -> None:
    assert store.find(KEY) is None
    assert store.open(KEY) is None
    assert not store.delete(KEY)
    with pytest.raises(KeyError):
        store.read(KEY)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        store.find("../secret")


@pytest.mark.parametrize("in_parts", [False, True])
def test_the_first_result_stays_until_it_is_deleted(
    store: ObjectResults, in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "WHOLE_BYTES", 0 if in_parts else 2**20)
    first = put(store, b"made in the morning")
    assert put(store, b"made in the evening") == first
    assert store.read(KEY) == b"made in the morning"
    assert store.delete(KEY)
    assert put(store, b"made at night").bytes == 13


def test_results_put_at_once_are_one(store: ObjectResults) -> None:
    found: list[Result] = []
    threads = [threading.Thread(target=lambda i=i: found.append(put(store, bytes([65 + i]) * (1000 + i)))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(Result.model_dump_json, found))) == 1
    assert found[0].digest == "sha256:" + hashlib.sha256(store.read(KEY)).hexdigest()


def test_parts_are_read_where_they_lie_and_only_the_result_itself(store: ObjectResults) -> None:
    content = bytes(range(256)) * 8192
    put(store, content)
    opened = store.open(KEY)
    assert opened is not None
    with opened[1] as stream:
        stream.seek(1_000_001)
        assert stream.read(300_000) == content[1_000_001:1_300_001]
        stream.seek(len(content) - 5)
        assert stream.read(100) == content[-5:]


def test_nobody_reads_one_result_and_then_another(store: ObjectResults) -> None:
    put(store, b"a" * 600_000)
    opened = store.open(KEY)
    assert opened is not None
    with opened[1] as stream:
        assert stream.read(10) == b"a" * 10
        store.delete(KEY)
        put(store, b"b" * 600_000)
        stream.seek(500_000)
        with pytest.raises(Transient, match="removed while it was read"):
            stream.read(10)


def test_a_result_that_is_needed_after_all_comes_back(store: ObjectResults) -> None:
    put(store)
    asked: list[Result | None] = []

    def needed() -> bool:
        asked.append(store.find(KEY))
        return True

    assert not store.delete(KEY, unless=needed)
    assert asked == [None]
    assert store.read(KEY) == b"galaxy"


def test_what_was_set_aside_by_the_killed_is_removed(store: ObjectResults, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    with pytest.raises(RuntimeError):
        store.delete(KEY, unless=lambda: (_ for _ in ()).throw(RuntimeError))
    monkeypatch.setattr(objects, "FRESH_SECONDS", -5)
    store.clear_scratch()
    assert list(store.entries()) == []


def test_storage_that_does_not_answer_is_named(store: ObjectResults, tmp_path: Path) -> None:
    store.check_writable()
    with pytest.raises(Transient, match="s3://no-such-bucket"):
        ObjectResults("s3://no-such-bucket", tmp_path).check_writable()


def test_many_are_looked_for_at_once_each_answered_in_its_place(store: ObjectResults, url: str, tmp_path: Path) -> None:
    keys = [f"{number:064x}" for number in range(40)]
    put(store, b"seventh", keys[7])
    for reader in (store, ObjectResults(url, tmp_path / "reader", in_haste=True)):
        found = reader.find_many(keys)
        assert [key for key, result in zip(keys, found, strict=True) if result is not None] == [keys[7]]
        assert found[7] == reader.find(keys[7])
    assert store.find_many([]) == []


def test_a_storage_that_is_silent_is_asked_a_few_times_and_then_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(objects, "REST_SECONDS", 1e9)
    keys = [f"{number:064x}" for number in range(200)]
    with silent_storage(monkeypatch) as storage:
        store = ObjectResults("s3://bucket/prefix", tmp_path, in_haste=True)
        storage.silent = {""}
        for _ in range(3):
            assert {type(found) for found in store.find_many(keys)} == {Transient}
        with pytest.raises(Transient, match="does not answer as it should"):
            store.open(KEY)
        assert 1 <= storage.asked <= objects.LOOKS


def test_a_slow_storage_is_given_up_for_the_rest_of_a_call(store: ObjectResults, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on the call as a whole: what has not begun by then is not asked for."""
    monkeypatch.setattr(objects, "LOOK_SECONDS", -1.0)
    put(store)
    (error,) = store.find_many([KEY])
    assert isinstance(error, Transient)
    assert "too slow" in error.message


def test_other_addresses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="s3://bucket/prefix"):
        results_at("ftp://host", tmp_path)


@pytest.mark.parametrize(
    ("url", "hosted", "reason"),
    [
        ("s3://", "false", 'Unable to recognise URL "s3://"'),
        ("s3://[x/results", "false", "invalid IPv6 address"),
        ("s3://bucket/prefix", "maybe", 'failed to parse "maybe" as boolean'),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, hosted: str, reason: str
) -> None:
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", hosted)
    with pytest.raises(BadInput, match=re.escape(f"results_url '{url}' cannot be used: ")) as refused:
        results_at(url, tmp_path)
    assert reason in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("settings", [Settings, WorkerSettings])
def test_a_setting_chooses_it(
    settings: type[Settings] | type[WorkerSettings], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALSYNTH_RESULTS_URL", url)
    found = settings(results_dir=tmp_path)
    assert isinstance(results_at(found.results_url, found.results_dir), ObjectResults)
