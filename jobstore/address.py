"""The address of the Redis server with its password, which deployments keep in a file and not in the environment."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

from galaxies.errors import BadInput

SCHEMES = ("redis://", "rediss://", "unix://")


def with_password(url: str, file: Path | None) -> str:
    """``url`` with the password that ``file`` holds; unchanged where there is no file, or the address has a password already.

    Raises
    ------
    BadInput : this is no address of a Redis server, or the file cannot be read or is empty.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # it may quote the password
        raise BadInput(
            "redis_url is no address like redis://:password@host:6379/0; in a password / ? # and @ become %2F %3F %23 and %40",
            field="redis_url",
        ) from None
    if not url.startswith(SCHEMES):
        found = f", but with {parts.scheme}://" if "://" in url else ""  # the rest may hold the password
        raise BadInput(f"redis_url (REDIS_URL) does not begin with {' or '.join(SCHEMES)}{found}", field="redis_url")
    if file is None or parts.password is not None:
        return url
    try:
        password = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"redis_password_file {file} cannot be read: {error}", field="redis_password_file") from None
    if not password:
        raise BadInput(f"redis_password_file {file} is empty; it holds the Redis server's password", field="redis_password_file")
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()
