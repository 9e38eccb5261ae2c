"""What an address holds is shown; what it cannot hold, or names in vain, is said in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from astropy.io import fits
from playwright.sync_api import Request, expect

from tests.e2e.browser import Visit

DEEP = "1"
for _ in range(5):
    DEEP = f"mix({DEEP}:2:0)"


@pytest.mark.parametrize("view", ["galaxy", "similar"])
@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("((", '"((" names no galaxy: a galaxy is a number from 0 to 4294967295'),
        (DEEP, "Mixes of mixes go at most 4 deep"),
        (";".join(["1"] * 65), "A sum has at most 64 galaxies, and this one has 65."),
        ("", "Nothing is said of which galaxy is meant."),
    ],
)
def test_an_address_that_names_no_galaxy_says_why_and_leads_back(visit: Visit, view: str, at: str, why: str) -> None:
    visit.go(f"/?view={view}&at={at}")
    expect(visit.page.get_by_role("heading", name="This address names no galaxy")).to_be_visible()
    expect(visit.page.get_by_role("main")).to_contain_text(why)
    expect(visit.page.locator("main img")).to_have_count(0)
    visit.page.reload()  # what was wrong is still in the address
    expect(visit.page.get_by_role("main")).to_contain_text(why)
    visit.page.get_by_role("link", name="To the gallery").click()
    expect(visit.page.get_by_role("heading", name="Galaxies that do not exist")).to_be_visible()
    assert visit.address == f"/?model={visit.service.model}"


@pytest.mark.parametrize("view", ["nothing", "constructor"])
def test_an_unknown_view_is_named_and_the_known_ones_are_linked(visit: Visit, view: str) -> None:
    visit.go(f"/?view={view}&slots=42")
    expect(visit.page.get_by_role("heading", name=f"There is no view “{view}”")).to_be_visible()
    expect(visit.page).to_have_title("No such view · galsynth")
    links = visit.page.get_by_role("main").get_by_role("link")
    assert links.all_inner_texts() == ["Gallery", "Film", "Mix", "Sum", "Favourites", "Models"]
    links.filter(has_text="Models").click()
    expect(visit.page.get_by_role("heading", name="Models", level=1)).to_be_visible()
    assert "slots=42" in visit.address


def test_an_unknown_model_costs_one_request_and_the_known_ones_are_linked(visit: Visit) -> None:
    asked: list[Request] = []
    visit.page.on("request", lambda request: asked.append(request) if "/v1/" in request.url else None)
    visit.go("/?model=gz2-1024@9&slots=42,7")
    expect(visit.page.get_by_role("heading", name="There is no model “gz2-1024@9” here")).to_be_visible()
    assert [request.url for request in asked] == [f"{visit.base}/v1/models"]
    expect(visit.page.get_by_role("button", name="Try again")).to_have_count(0)
    links = visit.page.get_by_role("main").get_by_role("link")
    assert {visit.service.model, visit.service.plain} <= set(links.all_inner_texts())
    links.filter(has_text=re.compile(f"^{visit.service.model}$")).click()
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(24)
    assert visit.address == f"/?model={visit.service.model}&slots=42,7"


def test_an_unknown_class_costs_no_galaxy_and_the_known_ones_are_linked(visit: Visit) -> None:
    asked: list[Request] = []
    visit.page.on("request", lambda request: asked.append(request) if "/v1/galaxies/" in request.url else None)
    visit.go("/?class=foo&count=12")
    expect(visit.page.get_by_role("heading", name=f"There is no class “foo” in {visit.service.model}")).to_be_visible()
    expect(visit.page).to_have_title("No such class · galsynth")
    assert asked == []
    links = visit.page.get_by_role("main").get_by_role("link")
    expect(links).to_have_count(1 + len(visit.service.card["classes"]))
    links.filter(has_text="merger").click()
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(12)
    expect(visit.page.get_by_role("radio", name="merger")).to_be_checked()
    assert visit.address == f"/?model={visit.service.model}&class=merger&count=12"


def test_a_class_in_the_address_of_a_model_without_classes_leads_to_all_its_galaxies(visit: Visit) -> None:
    visit.go(f"/?model={visit.service.plain}&class=merger&count=12")
    expect(visit.page.get_by_role("heading", name=f"There is no class “merger” in {visit.service.plain}")).to_be_visible()
    expect(visit.page.locator(".tile")).to_have_count(0)
    visit.page.get_by_role("link", name="All its galaxies").click()
    expect(visit.page.locator(".tile img")).to_have_count(12)
    assert visit.address == f"/?model={visit.service.plain}&count=12"


def test_a_bare_name_of_a_model_becomes_its_newest_version(visit: Visit) -> None:
    visit.go(f"/?model={visit.service.card['name']}&count=12")
    assert visit.address == f"/?model={visit.service.model}&count=12"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/?count=12&slots=zzz,5", "“zzz” names no galaxy and is left out"),
        ("/?view=mix&slots=5,((&across=8,4294967296", "“((”, “4294967296” name no galaxies and are left out"),
    ],
)
def test_a_slot_or_column_that_names_no_galaxy_is_said_to_be_left_out(visit: Visit, address: str, said: str) -> None:
    visit.page.goto(visit.base + address)
    expect(visit.page.locator(".toast")).to_have_text(said)
    expect(visit.page.locator(".slot")).to_have_count(1)


def test_what_would_be_too_much_is_refused_before_it_is_sent(visit: Visit) -> None:
    sent: list[Request] = []
    visit.page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    deep = DEEP.removeprefix("mix(").removesuffix(":2:0)")  # as deep as an address may be
    visit.go(f"/?view=similar&at={deep}&like=shape")
    expect(visit.page.locator("main .error")).to_have_text("Mixes of mixes go at most 4 deep, and this one goes deeper.")
    terms = [";".join(f"0.1*{seed}" for seed in range(start, start + 40)) for start in (0, 40)]
    visit.go(f"/?view=sum&slots={','.join(terms)}")
    result = visit.page.get_by_label("Result")
    expect(result.locator(".well")).to_have_text("A sum has at most 64 galaxies, and this one has 80.")
    result.get_by_role("button", name="Into the next slot").click()
    expect(visit.page.locator(".toast")).to_have_text("A sum has at most 64 galaxies, and this one has 80.")
    expect(visit.page.locator(".slot")).to_have_count(2)
    longest = max(len(request.post_data_json.get("terms", [])) for request in sent)
    assert longest == 40


def test_format_and_size_of_downloads_are_in_the_address(visit: Visit) -> None:
    visit.go("/?view=galaxy&at=42")
    visit.page.get_by_label("Size").select_option("256")
    visit.page.get_by_text("Copy as curl or Python").click()
    visit.choose("FITS")
    assert visit.address.endswith("at=42&format=fits&size=256")
    visit.page.reload()
    visit.settle()
    expect(visit.page.get_by_label("Size")).to_have_value("256")
    expect(visit.page.get_by_role("button", name="Download FITS")).to_have_attribute("aria-current", "true")
    visit.page.get_by_text("Copy as curl or Python").click()
    expect(visit.page.get_by_label("curl command")).to_contain_text('"format":"fits"')
    expect(visit.page.get_by_label("curl command")).not_to_contain_text("size")
    expect(visit.page.get_by_text("FITS keeps the model's own 64 × 64 pixels.")).to_be_visible()
    visit.choose("PNG")
    expect(visit.page.get_by_label("curl command")).to_contain_text('"size":256')
    visit.go("/?view=galaxy&at=42&size=300")
    expect(visit.page.get_by_label("Size")).to_have_value("300")


def test_a_film_too_large_as_pictures_is_no_hindrance_to_its_fits_cube(visit: Visit, tmp_path: Path) -> None:
    visit.go("/?view=film&frames=600&size=2048&slots=11,12")
    assert fits.getdata(visit.download("FITS cube", tmp_path)).shape == (600, 64, 64), "frames of the first band"


def test_a_pinned_pixel_is_in_the_address(visit: Visit) -> None:
    visit.go("/?view=galaxy&at=42&look=pixels")
    canvas, read = visit.page.locator(".pixel-well canvas"), visit.page.locator(".readout")
    box = canvas.bounding_box()
    assert box is not None
    side = visit.service.card["resolution"]
    pixel = box["width"] / side
    canvas.click(position={"x": 9.5 * pixel, "y": (side - 19.5) * pixel})
    expect(read).to_contain_text("x 10, y 20")
    assert "pixel=10,20" in visit.address
    canvas.hover(position={"x": 30 * pixel, "y": 30 * pixel})
    expect(read).to_contain_text("x 10, y 20")
    said = read.inner_text()
    visit.page.reload()
    visit.settle()
    assert read.inner_text() == said
    canvas.focus()
    visit.page.keyboard.press("ArrowRight")
    expect(visit.page).to_have_url(re.compile("pixel=11,20"))
    visit.page.keyboard.press("Escape")
    expect(visit.page).not_to_have_url(re.compile("pixel="))
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(re.compile("pixel=11,20"))
    visit.button("Unpin")
    expect(visit.page).not_to_have_url(re.compile("pixel="))
    visit.go("/?view=galaxy&at=42&look=pixels&pixel=999,1")
    expect(read).to_contain_text(f"Pixel 999, 1 lies outside this image of {side} × {side}")


def test_a_sum_is_made_in_the_space_that_the_address_names(visit: Visit) -> None:
    visit.go("/?view=sum&slots=42,7~merger,3")
    result = "section[aria-label=Result] img"
    before = visit.picture(result)
    with visit.page.expect_request(lambda request: "arithmetic" in request.url) as sent:
        visit.choose("z")
    assert sent.value.post_data_json["space"] == "z"
    expect(visit.page.locator(result)).to_have_attribute("alt", re.compile("added in z$"))
    visit.changes(before, result)
    assert "space=z" in visit.address
    expect(visit.page.get_by_role("link", name="Open the result")).to_have_count(0)
    visit.page.get_by_text("Copy as curl or Python").click()
    expect(visit.page.get_by_label("curl command")).to_contain_text('"space":"z"')
    visit.choose("Python")
    expect(visit.page.get_by_label("Python code")).to_contain_text('space="z"')
    visit.choose("w")
    expect(visit.page.get_by_role("link", name="Open the result")).to_be_visible()
    visit.shows(before, result)
    visit.go(f"/?view=sum&slots=42,7&model={visit.service.plain}")
    expect(visit.page.get_by_role("group", name="Space")).to_have_count(0)


def test_slots_that_name_nothing_are_left_out(visit: Visit) -> None:
    visit.go("/?seed=minus&count=1e9&slots=what,7,~,mix(&psi=NaN")
    expect(visit.page.locator(".slot")).to_have_count(1)
    expect(visit.page.locator(".tile")).to_have_count(120)
