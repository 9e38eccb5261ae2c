"""The bytes of a result, and what they are in Python: a picture, pictures, a FITS file, an array."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from galaxies.jobs import ModelRef
from galsynth.client.documents import JobState
from galsynth.client.errors import WrongFormat
from galsynth.client.options import check_suffix

if TYPE_CHECKING:
    from astropy.io import fits

PICTURES = ("png", "gif", "webp")


@dataclass(frozen=True)
class Result:
    """A finished result.

    Attributes
    ----------
    bytes : the file, as the service made it; its digest has been checked.
    job : the job that made it.
    """

    bytes: bytes = field(repr=False)
    job: JobState

    @property
    def format(self) -> str:
        """``png``, ``fits`` …"""
        return self.job.format

    @property
    def media_type(self) -> str:
        """``image/png`` …"""
        return self.job.result.media_type if self.job.result else ""

    @property
    def request(self) -> dict[str, Any]:
        """The request with every value filled in: sent again, it gives the same pixels."""
        return self.job.request

    @property
    def model(self) -> ModelRef:
        """The model version that made it."""
        return self.job.model

    def image(self) -> Image.Image:
        """The picture of a PNG (several galaxies: one sheet); the first frame of a GIF or WebP."""
        self._only(PICTURES, "image()")
        picture = Image.open(io.BytesIO(self.bytes))
        picture.load()
        return picture

    def images(self) -> list[Image.Image]:
        """Every picture of a ZIP (galaxies, frames, cells … in the service's order) or every frame of a GIF or WebP."""
        self._only(("zip", *PICTURES), "images()")
        if self.format != "zip":
            return [frame.copy() for frame in ImageSequence.Iterator(Image.open(io.BytesIO(self.bytes)))]
        with zipfile.ZipFile(io.BytesIO(self.bytes)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".png")]
            pictures: list[Image.Image] = [Image.open(io.BytesIO(archive.read(name))) for name in names]
        for picture in pictures:
            picture.load()
        return pictures

    frames = images

    def fits(self) -> fits.HDUList:
        """The FITS file, in memory: bands as image extensions, then ``LATENTS``."""
        self._only(("fits",), "fits()")
        from astropy.io import fits  # noqa: PLC0415 - half of what a command would load, and few need it

        return fits.open(io.BytesIO(self.bytes))

    def array(self) -> NDArray[np.float32]:
        """(N, bands, H, W) float32 in the units of the card, first row at the top, from NPZ or FITS."""
        self._only(("npz", "fits"), "array()")
        if self.format == "npz":
            return self.arrays()["images"]
        with self.fits() as hdus:
            bands = [np.asarray(hdu.data, dtype=np.float32) for hdu in hdus[1:] if hdu.is_image]
        cubes = [band if band.ndim == 3 else band[None] for band in bands]
        return np.ascontiguousarray(np.stack(cubes, axis=1)[:, :, ::-1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything in an NPZ: ``images``, ``seeds`` (-1: none), ``classes``, ``names`` and, by model, ``z`` and ``w``."""
        self._only(("npz",), "arrays()")
        with np.load(io.BytesIO(self.bytes), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name != "request"}

    def save(self, path: str | Path) -> Path:
        """Write the file; whatever is at ``path`` is replaced once it is whole.

        Raises
        ------
        WrongFormat : the suffix of ``path`` is that of another format.
        """
        path = Path(path)
        check_suffix(self.format, path)
        with replacing(path) as stream:
            stream.write(self.bytes)
        return path

    def _only(self, formats: tuple[str, ...], what: str) -> None:
        if self.format not in formats:
            raise WrongFormat(
                f"{what} needs {' or '.join(formats)}, and this result is {self.format}; ask for format={formats[0]!r}"
            )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream to what will be ``path`` once it is whole; nothing is left where it is not.

    Raises
    ------
    OSError : the file cannot be written; it names ``path``.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w+b") as stream:
            yield stream
        part.replace(path)
    except OSError as error:
        if error.filename != str(part):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):  # there is none, where it could not be made
            part.unlink()
