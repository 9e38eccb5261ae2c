"""Slots, films, mixes, sums, favourites: what is done with galaxies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from httpx import get
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.browser import Visit, until

THREE = "slots=42,7~merger,3"
STORE = "galsynth-favourites"


def test_slots_fill_empty_and_follow_to_every_view(visit: Visit) -> None:
    visit.go("/?count=12")
    for seed in (0, 3):
        visit.page.locator(".tile").nth(seed).hover()
        visit.button(f"Put Galaxy {seed} into a slot")
    expect(visit.page.get_by_role("status").filter(has_text="Galaxy 3 is in slot B")).to_be_visible()
    assert "slots=0,3" in visit.address
    for view in ("Film", "Mix", "Sum", "Models"):
        visit.page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        expect(visit.page.get_by_role("heading", name=view, level=1)).to_be_visible()
        assert "slots=0,3" in visit.address
    visit.button("Empty slot A, Galaxy 0")
    assert "slots=3" in visit.address
    visit.page.go_back()
    expect(visit.page.locator(".slot")).to_have_count(2)


def test_views_without_slots_offer_some(visit: Visit) -> None:
    visit.go("/?view=film")
    visit.button("Take two at random")
    visit.settle()
    expect(visit.page.locator(".slot")).to_have_count(2)
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()


def test_a_film_is_scrubbed_frame_by_frame(visit: Visit) -> None:
    visit.go(f"/?view=film&{THREE}&frames=21")
    bar = visit.page.get_by_label("Frame", exact=True)
    expect(bar).to_be_enabled()
    ends = [visit.picture(".player canvas")]
    for frame in (10, 20):
        bar.fill(str(frame))
        expect(visit.page).to_have_url(re.compile(f"frame={frame}"))
        expect(bar).to_have_attribute("aria-valuetext", f"Frame {frame + 1} of 21: galaxy {'B' if frame == 10 else 'C'}")
        ends.append(visit.changes(ends[-1], ".player canvas"))
    assert len(set(ends)) == 3
    visit.page.reload()
    visit.settle()
    expect(bar).to_have_value("20")
    visit.shows(ends[2], ".player canvas")


def test_a_film_plays_and_stops(visit: Visit) -> None:
    visit.go("/?view=film&slots=1,2&frames=40&fps=50")
    visit.button("Play")
    expect(visit.page.locator(".frame-number")).not_to_have_text("1 / 40")
    visit.button("Pause")
    expect(visit.page).to_have_url(re.compile("frame="))


def test_a_frame_becomes_a_galaxy(visit: Visit) -> None:
    visit.go("/?view=film&slots=42,7~merger&frames=5&frame=1")
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()
    visit.page.get_by_role("link", name="Open this frame").click()
    visit.settle()
    assert "at=0.75*42;0.25*7~merger" in visit.address


@pytest.mark.parametrize(
    ("name", "suffix", "begins"), [("GIF", "gif", b"GIF89a"), ("WebP", "webp", b"RIFF"), ("MP4", "mp4", b"")]
)
def test_films_go_home(visit: Visit, tmp_path: Path, name: str, suffix: str, begins: bytes) -> None:
    visit.go("/?view=film&slots=1,2&frames=12")
    path = visit.download(name, tmp_path)
    content = path.read_bytes()
    assert path.suffix == f".{suffix}"
    assert content.startswith(begins)
    if suffix == "mp4":
        assert content[4:8] == b"ftyp"
    else:
        assert 2 <= Image.open(path).n_frames <= 12


def test_a_long_film_shows_progress_and_is_deleted_at_the_service_too(visit: Visit) -> None:
    visit.go("/?view=film&slots=1,2&frames=4")
    visit.page.get_by_label("Frames", exact=True).fill("600")
    visit.page.get_by_label("Size").select_option("1024")
    with visit.page.expect_response(lambda answer: answer.request.method == "POST" and "interpolate" in answer.url) as first:
        visit.page.get_by_label("Frames", exact=True).press("Enter")
    job = first.value.json()
    expect(visit.page.get_by_label("Progress: The film")).to_be_visible()
    with visit.page.expect_response(lambda answer: answer.request.method == "DELETE"):
        visit.button("Cancel")
    expect(visit.page.get_by_text("Cancelled.").first).to_be_visible()
    assert get(f"{visit.base}{job['links']['self']}").status_code == 404
    visit.page.get_by_label("Frames", exact=True).fill("4")
    visit.page.get_by_label("Frames", exact=True).press("Enter")
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()


def test_a_mix_is_a_grid_whose_layers_are_set_on_a_picture(visit: Visit) -> None:
    visit.go(f"/?view=mix&{THREE}&across=8,22")
    cells = visit.page.locator("tbody td img")
    expect(cells).to_have_count(6)
    before = visit.picture("tbody td img")
    layers = visit.service.card["layers"]
    first, *rest = [*layers["middle"], *layers["fine"]]
    visit.button(f"Layer {first}, middle: from the columns")
    expect(visit.page).to_have_url(re.compile(f"layers={','.join(map(str, rest))}$"))
    visit.changes(before, "tbody td img")
    expect(cells).to_have_count(6)
    visit.page.get_by_title("Take just the fine layers from the columns").click()
    expect(visit.page).to_have_url(re.compile(f"layers={','.join(map(str, layers['fine']))}$"))


@pytest.mark.parametrize("screen", ["visit", "small"])
def test_every_picture_of_a_mix_is_as_large_as_every_other(screen: str, request: pytest.FixtureRequest) -> None:
    visit: Visit = request.getfixturevalue(screen)
    said = {"title": "No", "detail": "a-word-wider-than-its-corner and many more of them"}
    visit.page.route("**/v1/mix", lambda route: route.fulfill(status=500, json=said))
    visit.page.goto(f"{visit.base}/?view=mix&{THREE}&across=8,22")
    expect(visit.page.get_by_text(said["detail"])).to_be_visible()
    wells = visit.page.locator(".mix-table .well")
    expect(wells).to_have_count(11)
    assert len(set(wells.evaluate_all("(wells) => wells.map((well) => Math.round(well.getBoundingClientRect().width))"))) == 1


def test_a_cell_is_the_same_galaxy_on_its_own_page(visit: Visit, tmp_path: Path) -> None:
    visit.go("/?view=mix&slots=42,0.5*7~merger;0.5*3&across=8&layers=3,4,5")
    visit.page.locator("tbody tr").nth(1).locator("td .tile-link").click()
    visit.settle()
    assert "at=mix(0.5*7~merger;0.5*3:8:3.4.5)" in visit.address
    alone = np.asarray(Image.open(visit.download("PNG", tmp_path)))
    visit.page.go_back()
    visit.settle()
    with fits.open(visit.download("FITS cube", tmp_path)) as hdus:
        cell = list(hdus["LATENTS"].data["NAME"]).index("cell-01-00")
        red = hdus[1].data[cell][::-1]
    assert np.abs(alone[:, :, 0] - np.clip(red, 0, 255)).max() < 1


def test_columns_change_and_swap_with_rows(visit: Visit) -> None:
    visit.go("/?view=mix&slots=42&across=8,22")
    visit.button("Swap")
    assert "slots=8,22" in visit.address
    assert "across=42" in visit.address
    visit.button("Column")
    expect(visit.page.locator("thead th")).to_have_count(2)
    visit.button("Remove column 1")
    expect(visit.page.locator("thead th")).to_have_count(1)


def test_a_model_without_layers_says_so(visit: Visit) -> None:
    visit.go(f"/?view=mix&slots=1,2&model={visit.service.plain}")
    expect(visit.page.get_by_text("has no style layers")).to_be_visible()
    visit.page.get_by_role("link", name="Change to").click()
    visit.settle()
    expect(visit.page.locator("tbody td img").first).to_be_visible()


def test_a_sum_shows_its_terms_and_follows_the_weights(visit: Visit, tmp_path: Path) -> None:
    visit.go(f"/?view=sum&{THREE}")
    result = "section[aria-label=Result] img"
    expect(visit.page.locator(".equation")).to_have_text("+1 A −1 B +1 C =")
    expect(visit.page.locator(".term img")).to_have_count(3)
    before = visit.picture(result)
    visit.page.get_by_label("Weight of B, Galaxy 7, as a number").fill("0.5")
    visit.page.get_by_label("Weight of B, Galaxy 7, as a number").press("Enter")
    expect(visit.page).to_have_url(re.compile("weights=1,0.5,1"))
    expect(visit.page.locator(result)).to_have_attribute("alt", re.compile("0.5 times galaxy 7, merger"))
    visit.changes(before, result)
    visit.button("Average")
    expect(visit.page).to_have_url(re.compile(r"weights=0.3333,0.3333,0.3333"))
    sheet = Image.open(visit.download("PNG", tmp_path))
    assert sheet.width > 4 * 64
    assert len(json.loads(sheet.info["galaxy"])["request"]["terms"]) == 3


def test_slots_and_the_terms_of_a_sum_are_named_with_their_classes(visit: Visit) -> None:
    visit.go(f"/?view=sum&{THREE}")
    names = visit.page.locator(".term-name")
    expect(names.nth(0)).to_have_text("Galaxy 42, anticlockwise spiral")
    expect(names.nth(1)).to_have_text("Galaxy 7, merger")
    slots = visit.page.locator(".slot a")
    expect(slots.nth(0)).to_have_attribute("aria-label", "Slot A: galaxy 42, anticlockwise spiral")
    expect(slots.nth(1)).to_have_attribute("title", "galaxy 7, merger")


def test_a_slider_is_followed_though_the_browser_takes_few_addresses(visit: Visit) -> None:
    visit.page.add_init_script("""window.refused = 0; let taken = 0; const replace = history.replaceState;
        history.replaceState = function (...how) {
            if ((taken += 1) > 40) { window.refused += 1; throw new DOMException("too many", "SecurityError"); }
            return replace.apply(this, how);
        };""")
    visit.go(f"/?view=sum&model={visit.service.model}&{THREE}")
    visit.page.get_by_label("Weight of B, Galaxy 7", exact=True).evaluate("""(slider) => {
        for (let step = 0; step <= 300; step += 1) {
            slider.value = (step % 80) / 20 - 2;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }
    }""")
    expect(visit.page.locator(".equation")).to_have_text("+1 A +1 B +1 C =")
    expect(visit.page).to_have_url(re.compile("weights=1,1,1$"))
    assert visit.page.evaluate("window.refused") == 0


def test_the_result_of_a_sum_is_a_galaxy_to_go_on_with(visit: Visit) -> None:
    visit.go(f"/?view=sum&{THREE}&weights=1,-1,0")
    visit.button("Into the next slot")
    assert "slots=42,7~merger,3,42;-1*7~merger" in visit.address
    visit.page.get_by_role("link", name="Open the result").click()
    visit.settle()
    expect(visit.page.get_by_role("heading", name="Blend of 2 galaxies")).to_be_visible()


def store(visit: Visit, favourites: list[dict[str, object]]) -> None:
    """Favourites of earlier visits."""
    text = json.dumps(json.dumps(favourites))
    visit.page.add_init_script(f"if (!localStorage.getItem('{STORE}')) localStorage.setItem('{STORE}', {text})")


def test_a_favourite_of_another_model_takes_the_page_to_it_or_is_refused(visit: Visit) -> None:
    model, plain = visit.service.model, visit.service.plain
    store(visit, [{"model": plain, "psi": 0.5, "point": "3"}, {"model": "gz9-64@1", "psi": 1, "point": "4"}])
    visit.page.route("**/v1/galaxies/gz9-64@1/**", lambda route: route.abort())
    visit.page.goto(f"{visit.base}/?view=favourites&model={model}")
    said = visit.page.locator(".toast")
    visit.button("Put Galaxy 4 into a slot")
    expect(said).to_have_text("Galaxy 4 is of gz9-64@1, which this service lacks.")
    visit.button("Put Galaxy 3 into a slot")
    expect(said).to_have_text(f"Galaxy 3 is in slot A; the page shows {plain} now")
    expect(visit.page).to_have_url(f"{visit.base}/?view=favourites&model={plain}&psi=0.5&slots=3")
    expect(visit.page.locator(".slot img")).to_be_visible()
    picked = visit.page.locator(".tile").first.locator("img").get_attribute("src")
    assert visit.page.locator(".slot img").get_attribute("src") == picked
    visit.page.get_by_label("Model").select_option(model)
    expect(said).to_have_text(f"The galaxies in the slots are those of {model} now")
    visit.button("Put Galaxy 3 into a slot")
    expect(said).to_contain_text(f"Galaxy 3 is of {plain}, the slots are of {model}. Choose that model above first")
    expect(visit.page.locator(".slot")).to_have_count(1)


def test_a_favourite_of_another_variety_stands_beside_none_of_this_one(visit: Visit) -> None:
    usual = visit.service.card["truncation"]
    store(visit, [{"model": visit.service.model, "psi": psi, "point": "3"} for psi in (1.2, usual)])
    visit.go("/?view=favourites")
    expect(visit.page.locator(".tile-name")).to_have_text(["3 ψ 1.2", re.compile("^3")])
    put = visit.page.get_by_role("button", name="Put Galaxy 3 into a slot")
    put.nth(1).click()
    assert "psi=" not in visit.address
    put.nth(0).click()
    expect(visit.page.locator(".toast")).to_contain_text(
        f"Galaxy 3 is at variety ψ 1.2, the slots are at ψ {usual}. Open it first"
    )
    expect(visit.page.locator(".slot")).to_have_count(1)
    visit.page.locator(".tile-link").first.click()
    visit.button("Into the next slot")
    expect(visit.page).to_have_url(re.compile(r"psi=1\.2&slots=3,3&"))


def test_many_favourites_are_looked_at_page_by_page_and_none_is_broken(visit: Visit) -> None:
    store(visit, [{"model": visit.service.model, "psi": 0.7, "point": str(seed)} for seed in range(450)])
    content = get(f"{visit.base}/v1/galaxies/{visit.service.model}/1.png?size=128").content
    visit.page.route("**/v1/galaxies/**", lambda route: route.fulfill(body=content, content_type="image/png"))
    visit.go("/?view=favourites")
    pictures, pages = visit.page.locator(".tile img"), visit.page.get_by_role("navigation", name="Pages")
    whole = "(images) => images.filter((image) => image.complete && image.naturalWidth === 128).length"
    for first in (0, 96, 192, 288, 384):
        count = min(96, 450 - first)
        expect(pages.get_by_role("status")).to_have_text(f"{first + 1} to {first + count} of 450")
        expect(pictures).to_have_count(count)
        until(visit, lambda count=count: pictures.evaluate_all(whole) == count)
        if count == 96:
            pages.get_by_role("link", name="Older").click()
            expect(visit.page.locator(".tile-link").first).to_be_focused()
    assert "page=5" in visit.address
    visit.page.go_back()
    expect(pages.get_by_role("status")).to_have_text("289 to 384 of 450")


def test_favourites_are_read_once_however_many_galaxies_are_shown(visit: Visit) -> None:
    visit.page.add_init_script(f"""window.reads = 0; const get = Storage.prototype.getItem;
        Storage.prototype.getItem = function (key) {{ window.reads += key === "{STORE}"; return get.call(this, key); }};""")
    visit.go("/?count=48")
    visit.page.get_by_label("Show").select_option("24")
    visit.settle()
    assert visit.page.evaluate("window.reads") == 1


def test_favourites_of_another_tab_are_there_at_once(visit: Visit) -> None:
    visit.go("/?view=favourites")
    other = visit.context.new_page()
    other.goto(f"{visit.base}/?view=galaxy&at=42")
    other.get_by_role("button", name="Favourite", exact=True).click()
    expect(visit.page.locator(".tile-name b")).to_have_text("42")
    other.close()


def test_an_import_takes_each_galaxy_once_and_says_what_it_leaves_out(visit: Visit, tmp_path: Path) -> None:
    one = {"model": visit.service.model, "psi": 0.7, "point": "5"}
    given = [one, one, {**one, "point": "(("}, {"psi": 1}, {**one, "point": "6"}]
    (tmp_path / "galaxies.json").write_text(json.dumps({"format": "galsynth-favourites/1", "favourites": given}))
    visit.go("/?view=favourites")
    for said in ("2 new favourites", "0 new favourites"):
        visit.page.get_by_label("Import").set_input_files(tmp_path / "galaxies.json")
        expect(visit.page.locator(".toast")).to_have_text(said)
        expect(visit.page.locator("main .error")).to_have_text("2 entries of this file name no galaxy and were left out.")
        expect(visit.page.locator(".tile")).to_have_count(2)


def test_favourites_stay_go_out_and_come_in(visit: Visit, tmp_path: Path) -> None:
    visit.go("/?count=12&class=merger")
    for seed in (1, 2):
        visit.page.locator(".tile").nth(seed).hover()
        visit.button(f"Favourite: Galaxy {seed}")
    visit.go("/?view=favourites")
    expect(visit.page.locator(".tile img")).to_have_count(2)
    with visit.page.expect_download() as coming:
        visit.button("Export")
    coming.value.save_as(tmp_path / "galaxies.json")
    assert [one["point"] for one in json.loads((tmp_path / "galaxies.json").read_text())["favourites"]] == [
        "2~merger",
        "1~merger",
    ]
    for seed in (2, 1):
        visit.page.locator(".tile").first.hover()
        visit.button(f"Favourite: Galaxy {seed}")
    expect(visit.page.get_by_text("Nothing here yet")).to_be_visible()
    visit.page.get_by_label("Import").set_input_files(tmp_path / "galaxies.json")
    expect(visit.page.locator(".tile img")).to_have_count(2)
    expect(visit.page.get_by_text("2 new favourites")).to_be_visible()
    (tmp_path / "other.json").write_text('{"cats": 3}')
    visit.page.get_by_label("Import").set_input_files(tmp_path / "other.json")
    expect(visit.page.get_by_text("This file holds no favourites.")).to_be_visible()
