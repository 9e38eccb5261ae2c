"""The password of the Redis server comes from a file, and from nowhere else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import Settings
from galaxies.errors import BadInput
from jobstore.address import with_password
from worker.settings import WorkerSettings


@given(
    password=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1).filter(lambda text: text == text.strip())
)
def test_any_password_survives_the_address(password: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("secret") / "password"
    file.write_text(f"{password}\n", encoding="utf-8")
    parts = urlsplit(with_password("rediss://redis.example:6380/2", file))
    assert (unquote(parts.password or ""), parts.hostname, parts.port, parts.path) == (password, "redis.example", 6380, "/2")


def test_a_user_is_kept_and_a_password_in_the_address_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret")
    assert with_password("redis://galaxy@host/0", file) == "redis://galaxy:secret@host/0"
    assert with_password("redis://:own@host/0", file) == "redis://:own@host/0"
    assert with_password("redis://host/0", None) == "redis://host/0"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_password_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput, match=str(file)):
        with_password("redis://host/0", file)


@pytest.mark.parametrize("settings", [Settings, WorkerSettings])
def test_both_programs_read_it(
    settings: type[Settings] | type[WorkerSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("a/b")
    monkeypatch.setenv("GALSYNTH_REDIS_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("REDIS_URL", "redis://queue:6379/0")
    found = settings()
    assert found.queue_address == "redis://:a%2Fb@queue:6379/0"
    assert "a/b" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "http://redis:6379",
        "redis:6379",
        "",
        "redis://host:port/0",
        "redis://[::1/0",
        "redis://:secret@host:x",
        "redis://:secret/word@host:6379/0",
        "redis://:secret#word@host:6379",
        "redis://:secret?word@host:6379",
        "secret@host:6379",
    ],
)
def test_what_is_no_address_of_a_redis_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BadInput, match="redis_url") as raised:
        with_password(url, None)
    assert "secret" not in raised.value.message


def test_the_refusal_names_the_scheme_that_stands_there() -> None:
    with pytest.raises(BadInput, match=r"\(REDIS_URL\) does not begin with redis:// or rediss:// or unix://, but with http://$"):
        with_password("http://:secret@redis:6379", None)
