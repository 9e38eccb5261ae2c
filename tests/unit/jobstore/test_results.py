from __future__ import annotations

import errno
import gc
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from galaxies.errors import Transient
from galaxies.jobs import Result
from jobstore.results import ResultStore
from tests.worker_fakes import unfinished

KEY = "ab" * 32
DESCRIBE = Result(key="", format="png", media_type="image/png", bytes=0, digest="", width=64, height=64, images=1)


def put(store: ResultStore, content: bytes = b"galaxy", key: str = KEY) -> Result:
    with store.scratch() as folder:
        (folder / "result").write_bytes(content)
        return store.put(key, folder / "result", DESCRIBE)


def test_what_is_put_is_found_with_size_and_digest(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    result = put(store)
    assert store.find(KEY) == result
    assert result.bytes == 6
    assert result.digest == "sha256:" + hashlib.sha256(b"galaxy").hexdigest()
    assert store.read(KEY) == b"galaxy"


def test_putting_twice_is_as_putting_once(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert put(store) == put(store)
    assert len(list(store.path(KEY).parent.iterdir())) == 1


def test_the_first_result_stays_until_it_is_deleted(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    first = put(store, b"made in the morning")
    assert put(store, b"made in the evening") == first
    assert store.read(KEY) == b"made in the morning"
    store.delete(KEY)
    assert put(store, b"made at night").bytes == 13


def test_results_put_at_once_are_one(tmp_path: Path) -> None:
    found: list[Result] = []
    contents = [bytes([65 + i]) * (1000 + i) for i in range(16)]
    threads = [threading.Thread(target=lambda c=c: found.append(put(ResultStore(tmp_path), c))) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len({result.digest for result in found}) == 1
    assert found[0].digest == "sha256:" + hashlib.sha256(ResultStore(tmp_path).read(KEY)).hexdigest()


def test_what_was_told_of_a_result_put_beside_another_stays_true(tmp_path: Path) -> None:
    told: list[Result] = []

    class Slow(ResultStore):
        def find(self, key: str) -> Result | None:
            found = super().find(key)
            told.append(put(ResultStore(tmp_path), b"made meanwhile"))
            return found

    told.append(put(Slow(tmp_path), b"made slowly"))
    assert all(result == ResultStore(tmp_path).find(KEY) for result in told)


def test_what_is_not_whole_is_replaced(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    put(store)
    store.path(KEY).write_bytes(b"half")
    assert put(store, b"galaxy again") == store.find(KEY)


def test_scratch_of_the_dead_is_cleared_and_that_of_the_living_is_not(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    code = f"""
import os, pathlib, time
from jobstore.results import ResultStore
with ResultStore(pathlib.Path({str(tmp_path)!r})).scratch() as folder:
    (folder / "images").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other, store.scratch() as own:
        assert other.stdout is not None
        dead = Path(other.stdout.readline().strip())
        for folder in (dead, own):
            os.utime(folder, (1, 1))
        try:
            assert store.clear_scratch() == 0, "both live"
        finally:
            other.kill()
        other.wait()
        assert store.clear_scratch() == 1
        assert own.exists()
        assert not dead.exists()


def test_a_scratch_folder_that_was_made_just_now_is_left(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    (tmp_path / "scratch" / "new").mkdir()
    assert store.clear_scratch() == 0


@pytest.mark.parametrize("damage", ["empty", "truncated", "lengthened", "gone", "only bytes", "first byte lost", "end broken"])
def test_a_result_that_is_not_whole_is_not_found(tmp_path: Path, damage: str) -> None:
    store = ResultStore(tmp_path)
    put(store)
    path = store.path(KEY)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {
                "empty": b"",
                "truncated": whole[:-3],
                "lengthened": whole + b"more",
                "only bytes": b"galaxy",
                "first byte lost": whole[1:],
                "end broken": whole.replace(b'"key"', b'"kez"'),
            }[damage]
        )
    assert store.find(KEY) is None
    with pytest.raises(KeyError):
        store.read(KEY)


def test_a_file_system_without_links_keeps_the_first_result_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", no_links)
    store = ResultStore(tmp_path)
    first = put(store, b"first")
    assert put(store, b"second") == first
    assert store.read(KEY) == b"first"


def test_a_deleted_result_is_gone_and_deleting_again_is_nothing(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    put(store)
    store.delete(KEY)
    store.delete(KEY)
    assert store.find(KEY) is None
    assert list(store.path(KEY).parent.iterdir()) == []


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "ab" * 32 + "/x"])
def test_a_key_is_never_a_path(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        ResultStore(tmp_path).path(key)


def test_scratch_is_emptied_when_work_fails(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)

    def work() -> None:
        with store.scratch() as folder:
            (folder / "half").write_bytes(b"x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert unfinished(tmp_path) == []


def test_scratch_folders_are_used_again_made_anew_when_lost_and_removed_with_their_store(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    with store.scratch() as first:
        pass
    with store.scratch() as again, store.scratch() as other:
        assert again == first != other
    shutil.rmtree(tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()
    with store.scratch() as folder:
        (folder / "after the volume was lost").write_bytes(b"x")
    del store
    gc.collect()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_lost_volume_is_transient(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "volume")
    shutil.rmtree(tmp_path / "volume")
    (tmp_path / "volume").touch()  # nothing can be made there, not even by root
    with pytest.raises(Transient, match="volume"), store.scratch():
        pass
    with pytest.raises(Transient, match="volume"):
        store.check_writable()


def test_a_disk_with_room_for_a_file_and_none_for_a_result_is_transient(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.check_writable()
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, most[1]))
    try:
        with pytest.raises(Transient, match="cannot be written: File too large"):
            store.check_writable()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert list((tmp_path / "scratch").iterdir()) == []
