"""The page's own readers and names, in the browser that runs them, against the established tools."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from playwright.sync_api import Browser

from app.page import Page
from galaxies.cards import Band, IdentityStretch, LinearStretch
from galaxies.pixels import Floats, display, flux_picture, signed_from_uint8
from tests.e2e.browser import Service, Visit, visiting
from tests.strategies import style_card

Run = Callable[..., Any]
BYTES = "Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer"


@pytest.fixture(scope="module")
def reader(browser: Browser, service: Service) -> Iterator[Visit]:
    with visiting(browser, service) as visit:
        visit.page.goto(f"{service.base}/?view=favourites")
        yield visit


@pytest.fixture
def run(reader: Visit) -> Run:
    """``run(module, body, argument)``: the JavaScript ``body``, with the module as ``m`` and the argument as ``text``.

    ``base`` is the folder of all modules.
    """

    def run(module: str, body: str, argument: str = "") -> Any:
        base = f"/static/{Page.read().digest}"
        script = f"async (text) => {{ const base = '{base}', m = await import('{base}/{module}'); {body} }}"
        return reader.page.evaluate(script, argument)

    return run


POINTS = [
    "42",
    "4294967295",
    "7~merger",
    "7~a%20b%28c%29",
    "mean",
    "0.75*42;0.25*7~merger",
    "-1*mean;2*3",
    "mix(42:7~merger:0.1.2)",
    "mix(0.5*1;0.5*2:mix(3:4:0):9)",
    "0.5*mix(1:2:3);0.5*mean",
]


@pytest.mark.parametrize("text", POINTS)
def test_points_survive_their_text(run: Run, text: str) -> None:
    assert run("point.js", "return m.formatPoint(m.parsePoint(text));", text) == text


@pytest.mark.parametrize(
    "text", ["", "4294967296", "-3", "42~", "mix(1:2)", "1;;2", "42)", "mix(" * 9, "1;" * 70 + "1", "1.5", "mix(1:2:)", "42~%zz"]
)
def test_what_names_no_point_is_refused_in_words(run: Run, text: str) -> None:
    assert len(run("point.js", "try { m.parsePoint(text); return ''; } catch (e) { return e.message; }", text)) > 10


def test_blends_are_flat_and_their_weights_add_up(run: Run) -> None:
    body = "const p = m.blend(m.parsePoint('0.5*1;0.5*2'), m.parsePoint('2'), 0.25); return m.formatPoint(p);"
    assert run("point.js", body) == "0.375*1;0.625*2"


def test_addresses_survive_reading_and_writing(run: Run) -> None:
    address = "/?view=mix&model=sdss-gz1-64@2&psi=0&slots=42,0.5*7~merger;0.5*3&across=mix(1:2:0.1),9&layers=0,3"
    assert run("address.js", "return m.write(m.read(text.slice(1)));", address) == address


@pytest.mark.parametrize("kind", ["u1", ">i2", ">i4", ">i8", ">f4", ">f8"])
def test_fits_images_are_read_as_astropy_reads_them(run: Run, kind: str) -> None:
    values = (np.random.RandomState(1).rand(5, 7) * 200).astype(kind)
    hdu = fits.ImageHDU(values, name="I")
    hdu.header["BUNIT"] = "it's nJy"
    text = encoded(fits.HDUList([fits.PrimaryHDU(), hdu]))
    body = f"const [i] = m.images(m.readFits({BYTES})); return [i.name, i.unit, i.width, i.height, [...i.pixels]];"
    name, unit, width, height, pixels = run("formats/fits.js", body, text)
    assert (name, unit, width, height) == ("I", "it's nJy", 7, 5)
    assert np.array_equal(np.array(pixels).reshape(5, 7), values.astype("f4"))


def test_fits_scaling_and_blanks_are_applied(run: Run) -> None:
    hdu = fits.PrimaryHDU(np.array([[1, 2], [3, -9]], dtype=">i2"))
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 10, -9
    raw = io.BytesIO()
    fits.HDUList([hdu]).writeto(raw)
    with fits.open(io.BytesIO(raw.getvalue()), do_not_scale_image_data=True) as opened:
        text = encoded(opened)
    body = f"return [...m.images(m.readFits({BYTES}))[0].pixels].map((v) => Number.isNaN(v) ? null : v);"
    with fits.open(io.BytesIO(base64.b64decode(text))) as again:
        there = again[0].data.ravel()
    found = run("formats/fits.js", body, text)
    assert np.array_equal(np.array([np.nan if v is None else v for v in found]), there.astype("f4"), equal_nan=True)


def test_fits_tables_are_read_as_astropy_reads_them(run: Run) -> None:
    columns = [
        fits.Column("NAME", "8A", array=["one", "two"]),
        fits.Column("SEED", "K", array=[3, -1]),
        fits.Column("W", "6E", dim="(3,2)", array=np.arange(12, dtype="f4").reshape(2, 2, 3)),
    ]
    text = encoded(fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]))
    body = f"const t = m.readFits({BYTES})[1]; return ['NAME', 'SEED', 'W', 'NONE'].map((name) => m.column(t, name));"
    assert run("formats/fits.js", body, text) == [["one", "two"], [[3], [-1]], [list(range(6)), list(range(6, 12))], None]


def test_what_is_no_fits_is_refused(run: Run) -> None:
    body = f"try {{ m.readFits({BYTES}); }} catch (e) {{ return e.message; }}"
    assert run("formats/fits.js", body, base64.b64encode(b"x" * 4000).decode()) == "it is no FITS file"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_archives_are_read(run: Run, method: int) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        archive.writestr("a.txt", "galaxy " * 100)
        archive.writestr("ü/b.txt", "ß")
    body = f"const z = await m.unzip(new Blob([{BYTES}])); return Promise.all([...z].map(async ([n, b]) => [n, await b.text()]));"
    assert run("formats/zip.js", body, base64.b64encode(raw.getvalue()).decode()) == [
        ["a.txt", "galaxy " * 100],
        ["ü/b.txt", "ß"],
    ]


def test_stretches_go_from_black_to_white_and_never_back(run: Run) -> None:
    body = """return Object.values(m.STRETCHES).map((stretch) =>
        Array.from({length: 21}, (_, i) => stretch(i / 20, 0.05)));"""
    for values in run("colour.js", body):
        assert values[0] == 0
        assert values[-1] == pytest.approx(1)
        assert (np.diff(values) > 0).all()


BANDS = {
    "one": [Band(name="r")],
    "two": [Band(name="F200W", wavelength_um=1.99), Band(name="F115W", wavelength_um=1.15)],
    "bluest first": [Band(name=name, wavelength_um=um) for name, um in (("g", 0.48), ("r", 0.62), ("i", 0.75))],
    "mixed": [Band(name=name, wavelength_um=um) for name, um in (("i", 0.75), ("g", 0.48), ("z", 0.89), ("r", 0.62))],
    "unknown": [Band(name="g", wavelength_um=0.48), Band(name="r"), Band(name="i", wavelength_um=0.75)],
    "five": [Band(name=name) for name in "ugriz"],
}


@pytest.mark.parametrize("bands", BANDS.values(), ids=BANDS)
def test_colours_of_fluxes_are_those_of_the_service(run: Run, bands: list[Band]) -> None:
    values = levels(len(bands))
    expected = flux_picture(values, bands, LinearStretch(minimum=0.0, maximum=255.0))
    found = painted(run, values, bands, display=False)
    assert np.array_equal(found, np.broadcast_to(expected.reshape(*expected.shape[:2], -1), found.shape))


def test_colours_of_a_model_of_display_images_are_those_of_the_service(run: Run) -> None:
    card, values = style_card(), levels(3)
    expected = display(signed_from_uint8(values.astype(np.uint8)), card, IdentityStretch(), values.shape[-1], "nearest")
    assert np.array_equal(painted(run, values, card.bands, display=True), expected)


def levels(count: int) -> Floats:
    """Whole numbers from 0 to 255, both of them in every band."""
    values = np.random.RandomState(3).randint(0, 256, (count, 6, 6)).astype(np.float32)
    values[:, 0, :2] = 0, 255
    return values


def painted(run: Run, values: Floats, bands: Sequence[Band], *, display: bool) -> NDArray[np.int64]:
    """What the page shows of these bands' FITS file, in colour: (H, W, 3)."""
    hdus = [fits.ImageHDU(np.flipud(pixels), name=band.name) for pixels, band in zip(values, bands, strict=True)]
    for hdu, band in zip(hdus, bands, strict=True):
        if band.wavelength_um is not None:
            hdu.header["WAVELEN"] = band.wavelength_um
    body = f"""const {{ images, readFits }} = await import(`${{base}}/formats/fits.js`);
        const bands = m.channels(images(readFits({BYTES})), {str(display).lower()});
        return [...m.paint(bands, {{stretch: 'linear', soft: 1, map: 'grey', low: 0, high: 100}}).data];"""
    pixels = run("colour.js", body, encoded(fits.HDUList([fits.PrimaryHDU(), *hdus])))
    return np.array(pixels).reshape(*values.shape[1:], 4)[..., :3]


def test_the_newest_are_served_first_and_each_batch_in_order(run: Run) -> None:
    body = """const done = [], gates = [], still = new AbortController().signal, over = new AbortController();
        const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
        const gate = (name) => { done.push(name); return new Promise((open) => gates.push(open)); };
        const ask = (name, signal = still) => m.inTurn(() => gate(name), signal);
        for (const name of '123456') ask(name);
        ask('a'); ask('b'); const given = ask('x', over.signal).catch((e) => e.name);
        await pause();
        ask('c'); ask('d');
        over.abort();
        const most = gates.length;
        while (gates.length) { gates.shift()(); await pause(); }
        return [done.join(''), most, await given];"""
    assert run("turns.js", body) == ["123456cdab", 6, "AbortError"]


def test_shared_work_ends_when_the_last_who_waits_has_left(run: Run) -> None:
    body = """const s = new m.Shared(2), one = new AbortController(), two = new AbortController(), told = [];
        const give = (signal, no) => { told.push('given up'); no(signal.reason); };
        const make = (signal) => new Promise((_, no) => signal.addEventListener('abort', () => give(signal, no)));
        const a = s.get('k', make, one.signal), b = s.get('k', make, two.signal);
        one.abort(); told.push('one left');
        two.abort(); told.push('two left');
        await a.catch(() => {});
        return [a === b, told, s.entries.size];"""
    assert run("shared.js", body) == [True, ["one left", "given up", "two left"], 0]


def test_shared_results_are_kept_and_the_oldest_dropped(run: Run) -> None:
    body = """const dropped = [], made = [], s = new m.Shared(2, (r) => dropped.push(r));
        const make = (key) => async () => { made.push(key); return key; };
        const get = async (key) => { const one = new AbortController(); await s.get(key, make(key), one.signal); one.abort(); };
        for (const key of ['a', 'b', 'a', 'c', 'a']) await get(key);
        const fail = async () => { made.push('bad'); throw new Error('no'); };
        const bad = () => s.get('bad', fail, new AbortController().signal).catch(() => {});
        await bad(); await bad();
        return [made, dropped];"""
    assert run("shared.js", body) == [["a", "b", "c", "bad", "bad"], ["b", "c"]]


def test_shared_results_stay_while_they_are_in_use(run: Run) -> None:
    body = """const dropped = [], s = new m.Shared(2, (r) => dropped.push(r)), looking = {};
        const get = (key) => s.get(key, async () => key, (looking[key] = new AbortController()).signal);
        for (const key of 'abcd') await get(key);
        const used = [...dropped];
        looking.c.abort(); looking.a.abort(); await null; await null;
        return [used, dropped, [...s.entries.keys()]];"""
    assert run("shared.js", body) == [[], ["c", "a"], ["b", "d"]]


def test_shared_results_that_end_with_nobody_are_kept_in_number_only(run: Run) -> None:
    body = """const s = new m.Shared(2), get = (key) => s.get(key, async () => key, new AbortController().signal);
        for (const key of 'abcde') await get(key);
        return [...s.entries.keys()];"""
    assert run("shared.js", body) == ["d", "e"]


def test_every_code_is_python_and_shell(run: Run) -> None:
    body = """const request = {operation: 'interpolate',
            body: {from: {seed: 1, class: "it's"}, to: {mean: true}, loop: false, format: 'gif'}};
        return [m.asPython(request, 'http://h', true), m.asCurl(request, 'http://h', false)];"""
    python, shell = run("code.js", body)
    compile(python, "copied", "exec")
    assert "from_=" in python
    assert "loop=False" in python
    import shlex

    words = shlex.split(shell.replace("\\\n", ""))
    assert '"class":"it\'s"' in words[words.index("-d") + 1]


def encoded(hdus: fits.HDUList) -> str:
    raw = io.BytesIO()
    hdus.writeto(raw)
    return base64.b64encode(raw.getvalue()).decode()
