"""Files and folders that are whole or not there: written aside, then renamed. Errors of writing name the file."""

from __future__ import annotations

import contextlib
import glob
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from galaxies.errors import BadInput


@contextlib.contextmanager
def file_aside(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` at the end, or goes where something fails.

    The folder is made where it is missing.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with named(path, instead_of=aside):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """``path`` holds all of ``text``, or what it held before."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """``path`` holds all of ``content``, or what it held before."""
    with file_aside(path) as aside:
        aside.write_bytes(content)


def write_picture(path: Path, picture: Image.Image) -> None:
    """``path`` holds the picture in the format of its suffix; encoded first, since Pillow hides why writing fails.

    Raises
    ------
    BadInput : the suffix is none of a picture.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise BadInput(f"{path} is no name of a picture: one that ends in .png or .jpg is needed", field="out")
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    write_bytes(path, buffer.getvalue())


@contextlib.contextmanager
def folder_aside(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes ``out`` at the end, or goes where something fails.

    What killed runs have left is removed first.

    Raises
    ------
    BadInput : ``out`` exists.
    """
    if out.exists():
        raise BadInput(f"{out} exists already; choose another folder or remove it", field="out")
    folder = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    sweep(out)
    with named(out, instead_of=folder):
        folder.mkdir(parents=True)
    try:
        with named(out):
            yield folder
            folder.rename(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def check_folder(path: Path, wanted: str = "a folder") -> None:
    """Refuse a ``path`` that is there and is no folder.

    Raises
    ------
    BadInput : it is a file; ``wanted`` is what is needed.
    """
    if os.path.lexists(path) and not path.is_dir():
        raise BadInput(f"{path} is a file; {wanted} is needed", field="out")


def check_writable(out: Path, files: Iterable[Path]) -> None:
    """Refuse, before any work, an ``out`` whose ``files`` cannot be written; their folders need not be there. Nothing is left.

    Raises
    ------
    BadInput : one of them is a folder, or a file where its folder should be, or its folder cannot be written to.
    """
    for path in files:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; a file of that name is to be written", field="out")
        folder = next(folder for folder in path.parents if os.path.lexists(folder))
        check_folder(folder, "a folder" if folder == out else f"a folder for {out}")
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise BadInput(f"{out} cannot be written: {error.strerror}; choose another place", field="out") from None


def sweep(out: Path) -> None:
    """Remove the folders that runs which were killed have left beside ``out``: ``.NAME.PID`` of no process that runs."""
    for left in out.parent.glob(f".{glob.escape(out.name)}.*"):
        number = left.name.rpartition(".")[2]
        if number.isdecimal() and not _runs(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def named(path: Path, *, instead_of: Path | None = None) -> Iterator[None]:
    """An OSError within names ``path``, where it names no file (the disk is full) or ``instead_of``."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(instead_of)):
            error.filename = str(path)
        raise


def reason(error: OSError) -> str:
    """The file and what is wrong with it, in one line."""
    return f"{error.filename or 'standard output or a file'}: {error.strerror or ' '.join(map(str, error.args))}"
