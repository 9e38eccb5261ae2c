"""Cuts the tutorial's real galaxies from a larger set: ``python docs/tutorial_galaxies.py IMAGES.zip OBJECTS.csv``.

It writes tutorial.zip. IMAGES.zip has JPEG pictures of SDSS (``<class>/<SDSS DR7 object id>.jpg``), the table columns ``file``,
``sdss_dr7_objid`` and ``gz1_class``. Test galaxies are those that `python -m training prepare` holds out (``--held-out 0.1``), so
the bundled models have never seen them.
"""

from __future__ import annotations

import csv
import io
import random
import sys
import zipfile
from pathlib import Path

from PIL import Image

from training.data.prepare import is_held_out

OUT = Path(__file__).parent / "tutorial.zip"
SIDE, QUALITY, TRAIN_EACH, SEED = 64, 90, {True: 60, False: 420}, 0


def main(images: str, table: str) -> None:
    """Every held-out galaxy, and a random choice of the others, 64 pixels wide as the bundled models were trained."""
    with open(table, newline="") as stream:
        rows = list(csv.DictReader(stream))
    random.Random(SEED).shuffle(rows)  # noqa: S311 - a choice to be repeated, not a secret
    left = dict(TRAIN_EACH)
    with zipfile.ZipFile(images) as source, zipfile.ZipFile(OUT, "w", zipfile.ZIP_STORED) as target:
        for row in rows:
            merger, test = row["gz1_class"] == "merger", is_held_out(row["sdss_dr7_objid"], 0.1)
            if not test:
                if left[merger] == 0:
                    continue
                left[merger] -= 1
            whole = Image.open(io.BytesIO(source.read(row["file"]))).convert("RGB")
            picture = whole.reduce(whole.width // SIDE)
            content = io.BytesIO()
            picture.save(content, "JPEG", quality=QUALITY)
            name = f"{'test' if test else 'train'}/{'merger' if merger else 'other'}/{row['sdss_dr7_objid']}.jpg"
            target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content.getvalue())


if __name__ == "__main__":
    main(*sys.argv[1:])
