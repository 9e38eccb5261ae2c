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

from tests.e2e.browser import Visit

THREE = "slots=42,7~merger,3"


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
        visit.page.wait_for_timeout(150)
        ends.append(visit.picture(".player canvas"))
    assert len(set(ends)) == 3
    visit.page.reload()
    visit.settle()
    expect(bar).to_have_value("20")
    visit.page.wait_for_timeout(150)
    assert visit.picture(".player canvas") == ends[2]


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


def test_the_terms_of_a_sum_are_named_with_their_classes(visit: Visit) -> None:
    visit.go(f"/?view=sum&{THREE}")
    names = visit.page.locator(".term-name")
    expect(names.nth(0)).to_have_text("Galaxy 42, anticlockwise spiral")
    expect(names.nth(1)).to_have_text("Galaxy 7, merger")


def test_the_result_of_a_sum_is_a_galaxy_to_go_on_with(visit: Visit) -> None:
    visit.go(f"/?view=sum&{THREE}&weights=1,-1,0")
    visit.button("Into the next slot")
    assert "slots=42,7~merger,3,42;-1*7~merger" in visit.address
    visit.page.get_by_role("link", name="Open the result").click()
    visit.settle()
    expect(visit.page.get_by_role("heading", name="Blend of 2 galaxies")).to_be_visible()


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
