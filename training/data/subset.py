"""One class of an archive as an archive of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from galaxies.errors import BadInput
from training.data.archive import Archive
from training.data.write import ImageWriter, aside, publish, write_index

KEPT = ("credits", "resolution", "bands", "band_details", "pixel_scale_arcsec", "stretch", "display")


def write_class(archive: Archive, name: str, out: Path) -> Archive:
    """Write the images of class ``name``, held-out ones still held out, as the archive ``out`` without classes.

    Raises
    ------
    BadInput : there is no such class, or ``out`` exists.
    """
    if name not in archive.classes:
        there = ", ".join(archive.classes) or "none"
        raise BadInput(f"class {name!r} is not in {archive.manifest['name']}; it has {there}", field="class")
    chosen = np.flatnonzero(archive.labels == archive.classes.index(name))
    held_out = archive.held_out[chosen]
    manifest = {key: archive.manifest[key] for key in KEPT if key in archive.manifest} | {
        "name": f"{archive.manifest['name']}-{name}",
        "source": {"archive": archive.manifest["digest"], "class": name},
        "normalisation": archive.normalisation.model_dump(),
        "count": len(chosen),
        "training_count": int((~held_out).sum()),
        "held_out_count": int(held_out.sum()),
        "classes": [],
        "mirrored_class": [],
        "broken": [],
    }
    with aside(out) as folder:
        writer = ImageWriter(folder)
        for index in chosen:
            writer.add(archive.images[index])
        made = Archive(writer.close(), np.full(len(chosen), -1), held_out, archive.files[chosen], manifest)
        write_index(folder, made)
        return publish(folder, out, manifest)
