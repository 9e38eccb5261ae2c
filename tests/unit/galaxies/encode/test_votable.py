"""The VOTable catalogue, read and validated by astropy, and by Python's own XML parser as a second reader."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from astropy import units
from astropy.io import votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table

from galaxies.encode import encode
from galaxies.encode.provenance import provenance
from galaxies.encode.votable import COLUMNS, SCALE, SIZE
from galaxies.product import Product
from tests.strategies import CREATED, flux_card, generate_body, mix_body, product, style_card

NAMESPACE = {"v": "http://www.ivoa.net/xml/VOTable/v1.3"}


def catalogues(made: Product, folder: Path) -> tuple[Path, list[dict[str, str]]]:
    """The VOTable as a file, and the rows of the CSV."""
    encode(made, folder / "x.zip", CREATED)
    with zipfile.ZipFile(folder / "x.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("catalogue.csv").decode(), newline="")))
        return Path(archive.extract("catalogue.vot", folder)), rows


def test_it_is_valid(tmp_path: Path) -> None:
    path, _ = catalogues(product(style_card(), mix_body(1, 2, "zip")), tmp_path)
    told = io.StringIO()
    assert votable.validate(str(path), told, xmllint=False), told.getvalue()
    assert votable.is_votable(str(path))
    votable.parse(path, verify="exception")


def test_readers_find_the_rows_of_the_csv(tmp_path: Path) -> None:
    path, rows = catalogues(product(style_card(), mix_body(1, 2, "zip")), tmp_path)
    table = Table.read(path, format="votable")
    assert table.colnames == list(rows[0])
    assert [None if seed is None else int(seed) for seed in table["seed"].tolist()] == [100, 200, 201, None, None]
    for name in ("file", "name", "class", "model", "version", "digest"):
        assert [str(value or "") for value in table[name].tolist()] == [row[name] for row in rows], name
    assert table["truncation"].tolist() == [float(row["truncation"]) for row in rows]


def test_every_column_has_a_description_and_a_ucd_of_the_vocabulary(tmp_path: Path) -> None:
    path, _ = catalogues(product(flux_card(), generate_body([1], "zip")), tmp_path)
    table = votable.parse(path, verify="exception").get_first_table()
    assert [field.name for field in table.fields] == [column.name for column in COLUMNS]
    for element in [*table.fields, *table.params]:
        assert element.description, element.name
        assert check_ucd(element.ucd, check_controlled_vocabulary=True), element.ucd


def test_parameters_carry_units_and_the_request_is_there(tmp_path: Path) -> None:
    made = product(style_card(pixel_scale_arcsec=0.8), generate_body([1], "zip"))
    path, _ = catalogues(made, tmp_path)
    document = votable.parse(path)
    size, scale = document.get_first_table().params
    assert (int(size.value), str(size.unit)) == (64, "pix")
    assert (float(scale.value), scale.unit) == (0.8, units.arcsec / units.pix)
    (info,) = document.resources[0].infos
    assert json.loads(info.value) == provenance(made)
    assert {SIZE.name, SCALE.name} == {size.name, scale.name}


def test_a_scale_that_is_not_known_is_not_invented(tmp_path: Path) -> None:
    path, _ = catalogues(product(style_card(pixel_scale_arcsec=None), generate_body([1], "zip")), tmp_path)
    assert [param.name for param in votable.parse(path).get_first_table().params] == [SIZE.name]


@pytest.mark.parametrize("name", ['a "quoted" <b> & µ', "tab\tand\nline", "]]>", "control\x01"])
def test_class_names_survive(name: str, tmp_path: Path) -> None:
    path, _ = catalogues(product(style_card(classes=[{"name": name, "count": 1}]), generate_body([1, 2], "zip")), tmp_path)
    expected = name.replace("\x01", "\ufffd")
    cells = ET.parse(path).findall(".//v:TR/v:TD[5]", NAMESPACE)
    assert [cell.text for cell in cells] == [expected] * 2
    votable.parse(path, verify="exception")
