"""The store's readers on files that nobody meant: whatever the bytes, they read them or raise a `GalaxyError`, and come back."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galaxies.cards import ModelCard
from galaxies.errors import BadModel, GalaxyError
from models.generator import OnnxGenerator
from models.publish import publish
from models.store import ModelStore
from models.versions import Version, describe, read_version, verify
from tests.tiny_models import publish_style

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
few = settings(quick, max_examples=25)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "a\x00b", "../x", "/etc/passwd", "", "sha256:" + "0" * 64, "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return publish_style(tmp_path_factory.mktemp("whole"))


@contextmanager
def copied(version: Version) -> Iterator[Path]:
    """A store of its own with a copy of ``version``; gives its folder."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / version.card.name / version.card.version
        shutil.copytree(version.folder, folder)
        yield folder


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """``content`` with a few bytes changed, cut out, put in, doubled, or its end missing."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 40)))
        how = draw(st.sampled_from(["flip", "cut", "insert", "double", "truncate"]))
        if how == "flip" and start < len(data):
            data[start] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del data[start:stop]
        elif how == "insert":
            data[start:start] = draw(st.binary(max_size=12))
        elif how == "double":
            data[start:start] = data[start:stop]
        elif how == "truncate":
            del data[start:]
    return bytes(data)


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """JSON values like ``document``, one of them another, missing or new."""
    document = json.loads(json.dumps(document))
    where, key = None, None
    inside: Any = document
    while isinstance(inside, dict | list) and inside and (where is None or draw(st.booleans())):
        where = inside
        key = draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        inside = where[key]
    how = draw(st.sampled_from(["other", "missing", "new"]))
    if how == "other":
        where[key] = draw(anything)  # type: ignore[index]
    elif how == "missing":
        del where[key]  # type: ignore[attr-defined]
    else:
        where.update({draw(st.text(max_size=5)): draw(anything)}) if isinstance(where, dict) else where.append(draw(anything))  # type: ignore[union-attr]
    return document


def only_ours(call: Callable[[], Any]) -> Any:
    """What ``call`` returns; None where it raises a `GalaxyError` that says something in one line. All else comes through."""
    said = "an error"
    try:
        return call()
    except GalaxyError as error:
        said = error.message
    assert said
    assert "\n" not in said
    return None


def resealed(folder: Path) -> Version:
    """The version in ``folder`` with the digests that its files have now, so that readers get to see them."""
    card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
    files = {name: describe(folder / name, entry.role) for name, entry in card.files.items()}
    card = card.model_copy(update={"files": files})
    card = card.model_copy(update={"digest": card.compute_digest()})
    (folder / "card.json").write_text(card.model_dump_json())
    return read_version(folder)


@quick
@given(data=st.data())
def test_a_damaged_card_is_refused_and_the_store_goes_on(whole: Version, data: st.DataObject) -> None:
    with copied(whole) as folder:
        content = data.draw(damaged((folder / "card.json").read_bytes()) | st.binary(max_size=200))
        (folder / "card.json").write_bytes(content)
        only_ours(lambda: read_version(folder))
        store = ModelStore([folder.parents[1]])
        found, problems = store.versions()
        assert len(found) + len(problems) == 1
        only_ours(store.get)
        with tempfile.TemporaryDirectory() as root:
            only_ours(lambda: publish(folder, Path(root)))


@quick
@given(data=st.data(), sealed=st.booleans())
def test_a_card_of_other_values_is_read_or_refused(whole: Version, data: st.DataObject, sealed: bool) -> None:
    with copied(whole) as folder:
        document = data.draw(changed(json.loads((folder / "card.json").read_text())))
        (folder / "card.json").write_text(json.dumps(document))
        if sealed:
            only_ours(lambda: _sealed(folder))
        version = only_ours(lambda: read_version(folder))
        if version is not None:
            only_ours(lambda: OnnxGenerator(version))
        with tempfile.TemporaryDirectory() as root:
            only_ours(lambda: publish(folder, Path(root)))


def _sealed(folder: Path) -> None:
    """Give the card the digest that it has now; a card that is none stays as it is."""
    try:
        card = ModelCard.model_validate_json((folder / "card.json").read_bytes())
        (folder / "card.json").write_text(card.model_copy(update={"digest": card.compute_digest()}).model_dump_json())
    except ValueError:
        return


@pytest.mark.parametrize("depth", [100, 100_000])
@pytest.mark.parametrize("around", ["[]", '{"training":{}}'])
def test_a_card_of_endless_depth_is_refused(whole: Version, tmp_path: Path, depth: int, around: str) -> None:
    opening, closing = ("[", "]") if around == "[]" else ('{"training":', "}")
    with copied(whole) as folder:
        (folder / "card.json").write_text(opening * depth + closing * depth)
        with pytest.raises(BadModel):
            read_version(folder)
        with pytest.raises(BadModel):
            publish(folder, tmp_path)


@few
@given(data=st.data())
@pytest.mark.parametrize("name", ["buffers.safetensors", "mapping.onnx", "synthesis.onnx"])
def test_a_damaged_file_is_refused_by_its_digest(whole: Version, name: str, data: st.DataObject) -> None:
    with copied(whole) as folder:
        before = (folder / name).read_bytes()
        after = data.draw(damaged(before) | st.binary(max_size=100))
        (folder / name).write_bytes(after)
        refused = only_ours(lambda: verify(read_version(folder)) or True) is None
        assert refused == (after != before)
        with tempfile.TemporaryDirectory() as root:
            assert (only_ours(lambda: publish(folder, Path(root))) is None) == refused


@few
@given(data=st.data())
@pytest.mark.parametrize("name", ["buffers.safetensors", "mapping.onnx", "synthesis.onnx"])
def test_a_foreign_file_with_a_right_digest_is_read_or_refused(whole: Version, name: str, data: st.DataObject) -> None:
    with copied(whole) as folder:
        (folder / name).write_bytes(data.draw(damaged((folder / name).read_bytes()) | st.binary(max_size=100)))
        version = resealed(folder)
        generator = only_ours(lambda: OnnxGenerator(version))
        if generator is not None:
            assert generator.w_mean.dtype == generator.noise_const.dtype == "float32"


@few
@given(
    header=st.dictionaries(st.sampled_from(["w_mean", "noise_const", "__metadata__", "x"]), anything | st.just({}), max_size=4)
)
def test_a_strange_header_of_buffers_is_refused(whole: Version, header: dict[str, Any]) -> None:
    with copied(whole) as folder:
        text = json.dumps(header).encode()
        (folder / "buffers.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(64))
        with pytest.raises(BadModel):
            OnnxGenerator(resealed(folder))


@pytest.mark.parametrize("dtype", ["F64", "F16", "BF16", "I32", "F8_E4M3", "BOOL"])
def test_buffers_of_another_kind_of_number_are_refused(whole: Version, dtype: str) -> None:
    size = {"F64": 8, "F16": 2, "BF16": 2, "I32": 4, "F8_E4M3": 1, "BOOL": 1}[dtype]
    header, offset = {}, 0
    for name, count in (("w_mean", whole.card.w_dim or 0), ("noise_const", whole.card.noise_size)):
        header[name] = {"dtype": dtype, "shape": [count], "data_offsets": [offset, offset + count * size]}
        offset += count * size
    with copied(whole) as folder:
        text = json.dumps(header).encode()
        (folder / "buffers.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(offset))
        with pytest.raises(BadModel, match="buffers"):
            OnnxGenerator(resealed(folder))


@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "device"])
def test_what_is_no_file_is_refused_and_not_waited_for(whole: Version, tmp_path: Path, what: str) -> None:
    with copied(whole) as folder:
        for name in ("mapping.onnx", "card.json"):
            path = folder / name
            path.unlink()
            if what == "folder":
                path.mkdir()
            elif what == "pipe":
                os.mkfifo(path)
            else:
                path.symlink_to(path if what == "loop" else "/dev/zero")
            with pytest.raises(BadModel):
                verify(read_version(folder))
            with pytest.raises(BadModel):
                publish(folder, tmp_path)


@pytest.mark.parametrize("name", ["../mapping.onnx", "/etc/passwd", "a\x00b", "", "."])
def test_a_card_never_names_a_file_outside_its_folder(whole: Version, tmp_path: Path, name: str) -> None:
    with copied(whole) as folder:
        card = json.loads((folder / "card.json").read_text())
        card["files"][name] = card["files"].pop("mapping.onnx")
        (folder / "card.json").write_text(json.dumps(card))
        with pytest.raises(BadModel):
            publish(folder, tmp_path)
        _sealed(folder)
        with pytest.raises(BadModel):
            verify(read_version(folder))
