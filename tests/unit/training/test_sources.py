"""Every kind of file gives the same pixels, facts from headers are kept, and broken files are named."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits

from galaxies.cards import Band
from galaxies.errors import BadInput, Transient
from training.data.archive import Archive, read
from training.data.options import PrepareOptions, Reading, Selection
from training.data.prepare import prepare

SIDE = 16
RNG = np.random.default_rng(5)
CUBE = RNG.normal(1.0, 2.0, (3, SIDE, SIDE)).astype(np.float32)


def made(source: Path, **change: Any) -> Archive:
    """The archive of ``source`` at its own size; reading options may be given among the others."""
    names = {"resolution", "crop", "nan", "band_axis", "hdu", "key", "bands", "limit_bytes", "reject", "saturation", "resample"}
    reading = Reading(**{"resolution": SIDE, **{name: value for name, value in change.items() if name in names}})
    others = {"held_out": 0.0, **{name: value for name, value in change.items() if name not in names}}
    return prepare(PrepareOptions(source, source.parent / "out", reading=reading, **others), lambda done, total: None)


def header(**entries: Any) -> fits.Header:
    found = fits.Header()
    for key, value in entries.items():
        found[key] = value
    return found


def extensions(names: tuple[str, ...] = ("F150W", "F277W", "F444W"), **entries: Any) -> fits.HDUList:
    hdus = [fits.ImageHDU(plane, header(**entries), name=name) for plane, name in zip(CUBE, names, strict=True)]
    return fits.HDUList([fits.PrimaryHDU(), *hdus])


def test_extensions_are_bands_and_headers_are_kept(tmp_path: Path) -> None:
    scale = {"CTYPE1": "RA---TAN", "CUNIT1": "deg", "CDELT1": -0.03 / 3600, "CDELT2": 0.03 / 3600}
    extensions(BUNIT="MJy/sr", **scale).writeto(tmp_path / "a.fits")
    archive = made(tmp_path / "a.fits")
    assert np.array_equal(archive.images[0], CUBE[:, ::-1])
    details = archive.manifest["band_details"]
    assert [(band["name"], band["unit"], band["wavelength_um"]) for band in details] == [
        ("F150W", "MJy/sr", 1.501), ("F277W", "MJy/sr", 2.777), ("F444W", "MJy/sr", 4.402),
    ]  # fmt: skip
    assert archive.manifest["pixel_scale_arcsec"] == pytest.approx(0.03)
    jansky = 1e6 * (0.03 / 206_264.806) ** 2
    assert details[0]["zero_point"] == pytest.approx(-2.5 * np.log10(jansky / 3631.0), abs=0.01)


def test_downsampling_grows_the_pixel_scale(tmp_path: Path) -> None:
    extensions(CTYPE1="RA---TAN", CD1_1=-1e-5, CD1_2=0.0, CD2_1=0.0, CD2_2=1e-5).writeto(tmp_path / "a.fits")
    archive = made(tmp_path / "a.fits", resolution=8)
    assert archive.manifest["pixel_scale_arcsec"] == pytest.approx(0.072)


@pytest.mark.parametrize("how", ["area", "sum", "nearest"])
def test_zero_points_still_give_the_magnitude_after_downsampling(tmp_path: Path, how: str) -> None:
    flat = np.full((SIDE, SIDE), 3.0, np.float32)
    flat[:4, :4] = 4.0  # a band of one value has no constants
    fits.PrimaryHDU(flat, header(MAGZERO=25.0)).writeto(tmp_path / "a.fits")
    archive = made(tmp_path / "a.fits", resolution=4, resample=how)
    (band,) = archive.manifest["band_details"]
    found = band["zero_point"] - 2.5 * np.log10(archive.images[0].sum())
    assert found == pytest.approx(25.0 - 2.5 * np.log10(flat.sum()), abs=1e-3)


def test_hst_zero_points_come_from_photflam(tmp_path: Path) -> None:
    fits.PrimaryHDU(CUBE[0], header(PHOTFLAM=7.0331885e-20, PHOTPLAM=8045.0, FILTER1="CLEAR1L")).writeto(tmp_path / "a.fits")
    (band,) = made(tmp_path / "a.fits").manifest["band_details"]
    assert band["zero_point"] == pytest.approx(25.95, abs=0.01)
    assert band["wavelength_um"] == pytest.approx(0.8045)


@pytest.mark.parametrize("axis", ["first", "last", "auto"])
def test_cubes_by_band_axis(tmp_path: Path, axis: str) -> None:
    cube = np.moveaxis(CUBE, 0, -1) if axis == "last" else CUBE
    fits.PrimaryHDU(cube).writeto(tmp_path / "a.fits")
    archive = made(tmp_path / "a.fits", band_axis=axis, bands=tuple(Band(name=name, unit="nJy") for name in "gri"))
    assert np.array_equal(archive.images[0], CUBE[:, ::-1])
    assert archive.manifest["bands"] == ["g", "r", "i"]
    assert archive.manifest["band_details"][1] == {"name": "r", "unit": "nJy", "wavelength_um": 0.6176}


def test_gzip_and_a_file_a_band_and_a_zip_give_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as container:
        for plane, band in zip(CUBE, "gri", strict=True):
            buffer = io.BytesIO()
            fits.PrimaryHDU(plane).writeto(buffer)
            container.writestr(f"x/42_{band}.fits.gz", gzip.compress(buffer.getvalue(), mtime=0))
    order = tuple(Band(name=name) for name in "gri")
    archive = made(tmp_path / "set.zip", pattern="x/{id}_{band}.fits.gz", bands=order)
    assert list(archive.files) == ["42"]
    assert archive.manifest["bands"] == ["g", "r", "i"]
    assert np.array_equal(archive.images[0], CUBE[:, ::-1])


def test_an_object_without_one_of_its_bands_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("1_g", "1_r", "2_g"):
        fits.PrimaryHDU(CUBE[len(name) % 3] + int(name[0])).writeto(tmp_path / "in" / f"{name}.fits")
    with pytest.raises(BadInput, match="2 has no file for r"):
        made(tmp_path / "in", pattern="{id}_{band}.fits")
    with pytest.raises(BadInput, match="once each"):
        made(tmp_path / "in", pattern="{id}.fits")


def test_every_hdu_can_be_an_object(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU(CUBE[0]), fits.ImageHDU(CUBE[1]), fits.ImageHDU(np.zeros((4, 4), np.float32))]
    fits.HDUList(hdus).writeto(tmp_path / "stamps.fits")
    archive = made(tmp_path / "stamps.fits", layout="objects", on_error="skip", bands=(Band(name="F814W"),))
    assert list(archive.files) == ["stamps.fits[0]", "stamps.fits[1]"]
    assert np.array_equal(archive.images[:, 0], CUBE[:2, ::-1])
    assert archive.manifest["broken"] == ["stamps.fits[2] is 4 × 4; at least 16 × 16 is needed"]


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize(("hdu", "taken"), [(("sci",), [1, 3]), (("3", "SCI"), [1, 3]), (("3",), [3])])
def test_only_the_hdus_that_are_asked_for_are_objects(
    tmp_path: Path, folder: bool, hdu: tuple[str, ...], taken: list[int]
) -> None:
    source = tmp_path / "in" if folder else tmp_path / "a.fits"
    (tmp_path / "in").mkdir()
    extensions(("SCI", "ERR", "SCI")).writeto(tmp_path / "in" / "a.fits" if folder else source)
    with pytest.raises(BadInput, match=r"^a\.fits has no image extension WHT; it has 1 SCI, 2 ERR, 3 SCI$"):
        made(source, layout="objects", hdu=("WHT",))
    archive = made(source, layout="objects", hdu=hdu)
    assert list(archive.files) == [f"a.fits[{number}]" for number in taken]


def test_masks_are_not_taken_for_bands(tmp_path: Path) -> None:
    extensions(("SCI", "ERR", "DQ")).writeto(tmp_path / "a.fits")
    with pytest.raises(BadInput, match=r"look like errors or masks \(DQ, ERR\); choose with --hdu"):
        made(tmp_path / "a.fits")
    assert made(tmp_path / "a.fits", hdu=("SCI",)).images.shape == (1, 1, SIDE, SIDE)
    (tmp_path / "out").rename(tmp_path / "first")
    with pytest.raises(BadInput, match="no image extension WHT; it has 1 SCI, 2 ERR, 3 DQ"):
        made(tmp_path / "a.fits", hdu=("WHT",), resolution=8)


@pytest.mark.parametrize("compressed", [False, True])
def test_rows_of_npz_and_hdf5_with_labels(tmp_path: Path, compressed: bool) -> None:
    stack = np.moveaxis(np.stack([CUBE, CUBE + 1, CUBE + 2]), 1, -1)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", images=stack, kind=["b", "a", "b"], ids=[7, 8, 9])
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["group/pixels"] = stack
        file["kind"] = [b"b", b"a", b"b"]
    for source, key in (("a.npz", "images"), ("b.h5", "group/pixels")):
        archive = made(tmp_path / source, key=key, label_key="kind")
        assert np.array_equal(archive.images, np.moveaxis(stack, -1, 1))
        assert archive.classes == ["a", "b"]
        assert archive.labels.tolist() == [1, 0, 1]
        (tmp_path / "out").rename(tmp_path / f"out-{source}")


@pytest.mark.parametrize("labels", [["b", "", "a"], [0.0, np.nan, 1.0]])
def test_a_row_without_a_label_is_broken(tmp_path: Path, labels: list[Any]) -> None:
    np.savez(tmp_path / "a.npz", images=np.stack([CUBE, CUBE + 1, CUBE + 2]), kind=labels)
    with pytest.raises(BadInput, match=r"^a\.npz\[1\] has no label in 'kind'"):
        made(tmp_path / "a.npz", label_key="kind")
    archive = made(tmp_path / "a.npz", label_key="kind", on_error="skip")
    assert archive.files.tolist() == ["a.npz[0]", "a.npz[2]"]
    assert len(archive.classes) == 2
    assert archive.manifest["broken"] == ["a.npz[1] has no label in 'kind'"]


def test_endings_may_be_upper_case(tmp_path: Path) -> None:
    stack = np.stack([CUBE, CUBE + 1])
    np.save(tmp_path / "a.npy", stack)
    np.savez(tmp_path / "a.npz", images=stack, kind=["b", "a"])
    for name, change in (("a.npy", {}), ("a.npz", {"label_key": "kind"})):
        source = (tmp_path / name).rename(tmp_path / name.upper())
        assert np.array_equal(made(source, **change).images, stack)
        shutil.rmtree(tmp_path / "out")


def test_a_table_of_rows_keeps_what_it_does_not_say(tmp_path: Path) -> None:
    """Every row is an object of its own for the split, and has the label of its file."""
    count = 40
    np.savez(tmp_path / "a.npz", images=np.stack([CUBE + n for n in range(count)]), kind=["b", "a"] * (count // 2))
    (tmp_path / "t.csv").write_text("file\n" + "".join(f"a.npz[{n}]\n" for n in range(count)))
    archive = made(tmp_path / "a.npz", label_key="kind", held_out=0.3, selection=Selection(csv=tmp_path / "t.csv"))
    assert 0 < archive.held_out.sum() < count
    assert archive.labels.tolist() == [1, 0] * (count // 2)


def test_labels_of_rows_are_renamed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.stack([CUBE, CUBE + 1, CUBE + 2]), ans=[0, 1, 2])
    archive = made(tmp_path / "a.npz", label_key="ans", selection=Selection(rename=(("0", "disturbed"), ("2", "round"))))
    assert [archive.classes[label] for label in archive.labels] == ["disturbed", "1", "round"]


def test_a_class_to_rename_or_a_key_that_is_not_there_is_answered_with_what_there_is(tmp_path: Path) -> None:
    stack, ids = np.stack([CUBE, CUBE + 1]), [1, 2]
    np.savez(tmp_path / "a.npz", images=stack, ids=ids)
    np.savez(tmp_path / "one.npz", images=stack)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["ids"] = stack, ids
    with pytest.raises(BadInput, match=r"^--rename-class 3=b: no class is '3'; there are 1, 2$"):
        made(tmp_path / "a.npz", label_key="ids", selection=Selection(rename=(("3", "b"),)))
    for name, there in (("a.npz", "images, ids"), ("a.h5", "ids, images"), ("one.npz", "images")):
        for option, change in (("--label-key", {"label_key": "nope"}), ("--object-key", {"object_key": "nope"})):
            with pytest.raises(BadInput, match=f"^{name} has no array 'nope'; it has {there}: choose with {option}$"):
                made(tmp_path / name, **change)


def test_two_answers_to_one_question_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.stack([CUBE, CUBE + 1]), kind=["a", ""])
    (tmp_path / "t.csv").write_text("file,kind\na.npz[0],b\na.npz[1],a\n")
    table = Selection(csv=tmp_path / "t.csv", class_column="kind")
    with pytest.raises(BadInput, match="--label-key kind and --class-column kind answer the same question"):
        made(tmp_path / "a.npz", label_key="kind", selection=table)
    table = replace(table, object_column="kind")
    with pytest.raises(BadInput, match="--object-key kind and --object-column kind answer the same question"):
        made(tmp_path / "a.npz", object_key="kind", selection=table)


def test_an_unpacked_array_has_its_own_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 2, 2, SIDE, SIDE), np.float32))
    with pytest.raises(BadInput, match=r"^a\.npz\[0\] has shape \(2, 2, 16, 16\)"):
        made(tmp_path / "a.npz")


def test_a_pattern_of_one_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([CUBE, CUBE + 1]))
    with pytest.raises(BadInput, match=r"--pattern joins files of a folder or zip, and .*a\.npy is one file"):
        made(tmp_path / "a.npy", pattern="{id}_{band}.npy")


@pytest.mark.parametrize(("name", "message"), [("a.zip", "no whole zip file: it is cut off"), ("none", "there is no .*none")])
def test_what_a_source_is_not_is_said(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(BadInput, match=message):
        made(tmp_path / name)


def test_a_folder_of_npy_is_an_object_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", CUBE)
    np.savez(tmp_path / "in" / "b.npz", anything=CUBE + 1)
    assert np.array_equal(made(tmp_path / "in").images, np.stack([CUBE, CUBE + 1]))


@pytest.mark.parametrize(
    ("policy", "value"), [("zero", 0.0), ("median", float(np.median(np.delete(CUBE[1].ravel(), 3)))), ("fail", None)]
)
def test_pixels_that_are_not_finite_follow_the_policy(tmp_path: Path, policy: str, value: float | None) -> None:
    holed = CUBE.copy()
    holed[1, 0, 3] = np.nan
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", holed)
    if value is None:
        with pytest.raises(BadInput, match=r"a\.npy has 1 pixels that are not finite, or beyond float32; --nan zero"):
            made(tmp_path / "in", nan=policy)
        return
    archive = made(tmp_path / "in", nan=policy)
    assert archive.images[0, 1, 0, 3] == pytest.approx(value)
    assert archive.manifest["nonfinite"] == {"policy": policy, "images": 1, "pixels": 1}


@pytest.mark.parametrize("policy", ["zero", "median"])
@pytest.mark.parametrize(("blank", "said"), [((1,), "band 2 of 3"), ((0, 1, 2), "band 1, 2, 3 of 3")])
def test_a_band_without_a_finite_pixel_is_broken(tmp_path: Path, policy: str, blank: tuple[int, ...], said: str) -> None:
    holed = CUBE.copy()
    holed[list(blank)] = np.nan
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", holed)
    np.save(tmp_path / "in" / "b.npy", CUBE)
    with pytest.raises(BadInput, match=rf"^a\.npy has no finite pixel in {said}$"):
        made(tmp_path / "in", nan=policy)
    archive = made(tmp_path / "in", nan=policy, on_error="skip")
    assert list(archive.files) == ["b.npy"]
    assert archive.manifest["broken"] == [f"a.npy has no finite pixel in {said}"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", ["a.npy", "a.fits"])
def test_values_beyond_float32_are_named_as_such(tmp_path: Path, name: str) -> None:
    wide = CUBE.astype(np.float64)
    wide[0, 0, 0] = 1e300
    (tmp_path / "in").mkdir()
    if name.endswith("npy"):
        np.save(tmp_path / "in" / name, wide)
    else:
        fits.PrimaryHDU(wide).writeto(tmp_path / "in" / name)
    with pytest.raises(BadInput, match=rf"^{name} has 1 pixels that are not finite, or beyond float32; "):
        made(tmp_path / "in")
    assert made(tmp_path / "in", nan="median").manifest["nonfinite"]["pixels"] == 1


def broken_files() -> dict[str, bytes]:
    """Files that are cut off, lie about their size, or hold something else."""
    image, arrays = io.BytesIO(), io.BytesIO()
    fits.PrimaryHDU(np.zeros((64, 64), np.float32)).writeto(image)
    np.savez(arrays, images=np.zeros((64, 64), np.float32))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    return {
        "cut.fits": image.getvalue()[:5000],
        "cut.fits.gz": gzip.compress(image.getvalue())[:-20],
        "cut.npz": arrays.getvalue()[:-200],
        "pickled.npy": pickled.getvalue(),
        "text.fits": b"no FITS at all",
        "table.fits": table(),
        "text.h5": b"no HDF5 at all",
        "bomb.fits.gz": gzip.compress(bytes(3 * 2**20)),
        "flat.npy": array_bytes(np.zeros(16, np.float32)),
        "words.npy": array_bytes(np.array([["a"] * 16] * 16)),
        "cubical.npy": array_bytes(np.zeros((16, 16, 16), np.float32)),
    }


def table() -> bytes:
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])])]).writeto(stream)
    return stream.getvalue()


def array_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
def test_every_broken_file_is_named_and_the_rest_goes_on(tmp_path: Path, zipped: bool) -> None:
    files = {**broken_files(), "good.npy": array_bytes(CUBE)}
    source = tmp_path / "in"
    if zipped:
        with zipfile.ZipFile(source, "w") as container:
            for name, content in files.items():
                container.writestr(name, content)
    else:
        source.mkdir()
        for name, content in files.items():
            (source / name).write_bytes(content)
    archive = made(source, on_error="skip", limit_bytes=2**20)
    assert list(archive.files) == ["good.npy"]
    assert sorted(text.split()[0] for text in archive.manifest["broken"]) == sorted(broken_files())
    bomb = next(text for text in archive.manifest["broken"] if text.startswith("bomb"))
    assert "unpacks to more than 1 MiB" in bomb


@pytest.mark.parametrize("zipped", [False, True])
def test_what_macos_adds_to_files_is_passed_over(tmp_path: Path, zipped: bool) -> None:
    folder = tmp_path / "in"
    for name in ("set/a.npy", "set/._a.npy", "__MACOSX/set/._a.npy", "__MACOSX/set/b.npy"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(array_bytes(CUBE) if name == "set/a.npy" else b"\x00\x05\x16\x07")
    source = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder)) if zipped else folder
    assert list(made(source).files) == ["set/a.npy"]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in", "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("bomb.fits", bytes(64 * 2**20))
    with pytest.raises(BadInput, match=r"bomb\.fits unpacks to more than 1 MiB"):
        made(tmp_path / "in", limit_bytes=2**20)


@pytest.mark.parametrize("name", ["set.zip", "set.npz", "set.h5", "set.fits"])
def test_a_source_that_is_cut_off_is_one_error(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    if name.endswith("fits"):
        extensions().writeto(stream)
    else:
        np.savez(stream, images=CUBE)
    (tmp_path / name).write_bytes(stream.getvalue()[:2000])
    with pytest.raises(BadInput, match=r"set\."):
        made(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("shape", [(), (40,), (SIDE, SIDE)])
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.h5"])
def test_a_source_that_is_no_stack_of_images_is_one_error(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    if name.endswith("npy"):
        np.save(tmp_path / name, array)
    elif name.endswith("npz"):
        np.savez(tmp_path / name, images=array)
    else:
        with h5py.File(tmp_path / name, "w") as file:
            file["images"] = array
    with pytest.raises(BadInput, match=re.escape(f"{name} has shape {shape}; (N, H, W), (N, bands, H, W)")):
        made(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_empty_hdf5_is_one_error_and_in_a_zip_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = h5py.Empty("f")
    with pytest.raises(BadInput, match=r"^a\.h5 has shape None; \(N, H, W\)"):
        made(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["sky"], file["mask"] = CUBE, CUBE
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as container:
        container.write(tmp_path / "b.h5", "x/b.h5")
    with pytest.raises(BadInput, match=r"^x/b\.h5 has no array 'images'; it has mask, sky: choose with --key"):
        made(tmp_path / "in.zip")


def test_an_npz_larger_than_the_disk_says_what_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((3, 1024, 1024), np.float32))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(Transient, match=r"images of a\.npz unpacks to 12 MiB, and the disk of --out has 5 MiB free") as caught:
        made(tmp_path / "a.npz")
    assert "--max-megabytes" not in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_units_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, unit in enumerate(("nJy", "nJy", "MJy/sr")):
        fits.PrimaryHDU(CUBE[number], header(BUNIT=unit, FILTER="r")).writeto(tmp_path / "in" / f"{number}.fits")
    with pytest.raises(BadInput, match=r"2\.fits has units \(MJy/sr\); the set has units \(nJy\) since 0\.fits"):
        made(tmp_path / "in")


def test_expert_table_of_galaxy_zoo_1_without_a_header(tmp_path: Path) -> None:
    """The layout of GZ1Expert-MergerMaster: object id in column 1, merger flag in column 20, files <id>.tiff."""
    from PIL import Image

    (tmp_path / "in").mkdir()
    lines = []
    for number in range(6):
        identifier = 587722981736120000 + number
        lines.append(",".join([str(number), str(identifier), *["0.5"] * 18, str(int(number % 3 == 0)), "x"]))
        pixels = RNG.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{identifier}.tiff")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    expert = Selection(csv=tmp_path / "table.csv", header=False, file_column="1", file_pattern="{}.tiff", where=(("20", "1"),))
    archive = made(tmp_path / "in", selection=expert)
    assert list(archive.files) == ["587722981736120000.tiff", "587722981736120003.tiff"]
    both = replace(expert, where=(), class_column="20", rename=(("1", "merger"), ("0", "other")))
    (tmp_path / "out").rename(tmp_path / "mergers")
    archive = made(tmp_path / "in", selection=both)
    assert [archive.classes[label] for label in archive.labels] == ["merger", "other", "other"] * 2
    assert read(tmp_path / "mergers").manifest["selection"] == "20 = 1"
