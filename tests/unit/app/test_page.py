"""The page: what it is served with, and what its files may hold."""

from __future__ import annotations

import re

import pytest
from httpx import Client

from app.page import FOLDER, MEDIA, POLICY, Page

PAGE = Page.read()
MOST_BYTES = 300_000
SCRIPTS = sorted(name for name in PAGE.names if name.endswith(".js"))
OURS = [name for name in SCRIPTS if not name.startswith("vendor/")]


def test_the_page_is_served_under_a_strict_policy(client: Client) -> None:
    answer = client.get("/?view=film&slots=1,2")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-cache"
    assert "unsafe" not in POLICY
    again = client.get("/", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_every_file_that_the_page_names_is_there_for_good(client: Client) -> None:
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/").text)
    assert len(named) >= len(SCRIPTS)
    for address in set(named):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]


def test_files_of_another_version_are_not_kept(client: Client) -> None:
    assert client.get("/static/0123456789abcdef/main.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["index.html", "vendor/README.md", "nothing.js", "../main.py", "%2e%2e/main.py", "style"])
def test_nothing_else_is_served(client: Client, name: str) -> None:
    answer = client.get(f"/static/{PAGE.digest}/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_is_light() -> None:
    assert sum((FOLDER / name).stat().st_size for name in PAGE.names) + len(PAGE.html) < MOST_BYTES


def test_the_document_has_no_inline_script_or_style() -> None:
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", PAGE.html)


def test_nothing_comes_from_elsewhere() -> None:
    for name in [*OURS, *(name for name in PAGE.names if name.endswith(".css"))]:
        text = (FOLDER / name).read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), name


@pytest.mark.parametrize("name", OURS)
def test_every_import_leads_to_a_file(name: str) -> None:
    text = (FOLDER / name).read_text()
    for target in re.findall(r'^(?:import|export) .*?from "([^"]+)"', text, re.MULTILINE):
        assert ((FOLDER / name).parent / target).resolve().is_relative_to(FOLDER), target
        assert ((FOLDER / name).parent / target).is_file(), target


@pytest.mark.parametrize("name", OURS)
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert (FOLDER / name).read_text().startswith(("/**", "//"))
    assert len((FOLDER / name).read_text().splitlines()) < 300


def test_every_file_has_a_media_type() -> None:
    left = {path.suffix for path in FOLDER.rglob("*") if path.is_file()} - set(MEDIA) - {".md"}
    assert not left
