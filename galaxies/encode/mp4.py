"""MP4 (H.264); the request is in the comment of its metadata. Needs PyAV, which the worker brings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from galaxies.encode.encoded import Encoded
from galaxies.encode.frames import display_size, pictures
from galaxies.encode.provenance import provenance_text
from galaxies.pixels import Picture
from galaxies.product import Product
from galaxies.requests import Interpolate

OPTIONS = {"crf": "18", "preset": "veryfast"}

THREADS = 1
"""Left to themselves x264 and the conversion take a thread or more for each core: sixteen films at once on a large machine would
pass the bound of a container, and the bytes of a film would depend on the machine. One takes the least processor time, too.
"""

_BT709 = 1


def encode_mp4(product: Product, path: Path, created: datetime) -> Encoded:
    """Write the film. ``created`` is not used.

    Chroma is stored at half resolution, so both sides must be even: an odd side repeats its last row and column once.
    """
    import av  # noqa: PLC0415 - the service that only carries requests has no PyAV

    assert isinstance(product.request, Interpolate)
    size = display_size(product)
    side = size + size % 2
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = provenance_text(product)
        stream = container.add_stream("libx264", rate=product.request.fps, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        stream.codec_context.thread_count = THREADS
        stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = _BT709
        for pixels in pictures(product):
            frame = av.VideoFrame.from_ndarray(_even_rgb(pixels), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709", threads=THREADS)))
        container.mux(stream.encode())
    return Encoded("video/mp4", side, side, len(product.images))


def _even_rgb(pixels: Picture) -> Picture:
    rgb = pixels if pixels.ndim > 2 else np.stack([pixels] * 3, axis=-1)
    return np.ascontiguousarray(np.pad(rgb, ((0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)), mode="edge"))
