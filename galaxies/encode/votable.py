"""The catalogue of a ZIP as VOTable 1.4 (IVOA Recommendation, 2019), for TOPCAT and whatever else reads tables of the sky.

Written as text, because a table of strings needs no more, and a writer that builds a tree first would hold the largest catalogue
several times over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from galaxies.encode.provenance import provenance_text
from galaxies.product import Product

NO_SEED = -1
_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""


@dataclass(frozen=True)
class Column:
    """A column or parameter: VOTable datatype (text: ``char``, ``unicodeChar``), UCD1+ of IVOA, unit if it has one, meaning."""

    name: str
    datatype: str
    ucd: str
    description: str
    unit: str = ""

    def attributes(self) -> str:
        """As attributes of FIELD and PARAM."""
        given = {"name": self.name, "datatype": self.datatype, "ucd": self.ucd, "unit": self.unit}
        given["arraysize"] = "*" if self.datatype.lower().endswith("char") else ""
        return "".join(f" {name}={quoteattr(value)}" for name, value in given.items() if value)


COLUMNS = (
    Column("index", "int", "meta.record", "number of the image, from 0"),
    Column("file", "char", "meta.id;meta.file", "picture in the same archive"),
    Column("name", "char", "meta.id;meta.main", "name of the image"),
    Column("seed", "long", "meta.id", "seed of its latent; null where it has none of its own"),
    Column("class", "unicodeChar", "meta.code.class", "class that the generator was asked for; empty without one"),
    Column("model", "char", "meta.id;meta.software", "generator"),
    Column("version", "char", "meta.version;meta.software", "version of the generator"),
    Column("digest", "char", "meta.checksum", "digest of the generator's card and files"),
    Column("truncation", "double", "stat.param", "truncation psi of the latents; 1: none"),
)
"""The columns of the catalogue, CSV and VOTable alike."""
SCORES = (
    Column("score", "float", "stat.fit.goodness", "how much of a galaxy the image shows, 0 to 8: mean of the scorer's members"),
    Column("score_spread", "float", "stat.stdev", "standard deviation of the members"),
)
"""Columns that follow where scores are wanted."""

SIZE = Column("native_size", "int", "pos.wcs.naxis", "side of a native image", "pix")
SCALE = Column("pixel_scale", "double", "pos.wcs.scale", "side of a native pixel on the sky", "arcsec/pix")


def columns_of(product: Product) -> tuple[Column, ...]:
    """The columns of ``product``'s catalogue."""
    return COLUMNS if product.scores is None else COLUMNS + SCORES


def votable_text(product: Product, rows: Iterable[Sequence[Any]]) -> str:
    """``rows`` (in the order of `columns_of`) as a VOTable; None is null, which only seed and text may be."""
    return "".join(_lines(product, rows))


def _lines(product: Product, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    card = product.card
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
    yield '<RESOURCE type="results">\n'
    yield f"<DESCRIPTION>{escape(f'Synthetic galaxies: no object of the sky. Made by {card.reference}.')}</DESCRIPTION>\n"
    yield f'<INFO name="request" value={quoteattr(provenance_text(product))}/>\n'
    yield f'<TABLE name="galaxies" nrows="{len(product.images)}">\n'
    yield _element("PARAM", SIZE, card.resolution)
    if card.pixel_scale_arcsec is not None:
        yield _element("PARAM", SCALE, card.pixel_scale_arcsec)
    if product.scores is not None:
        scorer = product.scores.scorer
        yield f'<INFO name="scorer" value={quoteattr(f"{scorer.reference} {scorer.digest}")}/>\n'
    for column in columns_of(product):
        yield _element("FIELD", column)
    yield "<DATA><TABLEDATA>\n"
    for row in rows:
        cells = (_cell(column, value) for column, value in zip(columns_of(product), row, strict=True))
        yield f"<TR>{''.join(cells)}</TR>\n"
    yield "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"


def _element(kind: str, column: Column, value: float | None = None) -> str:
    told = f' value="{value}"' if value is not None else ""
    null = f'<VALUES null="{NO_SEED}"/>' if column.datatype == "long" else ""
    return f"<{kind}{column.attributes()}{told}><DESCRIPTION>{escape(column.description)}</DESCRIPTION>{null}</{kind}>\n"


def _cell(column: Column, value: Any) -> str:
    if value is None:
        value = NO_SEED if column.datatype == "long" else ""
    text = _CONTROL.sub("\ufffd", str(value))
    return f"<TD>{escape(text)}</TD>"
