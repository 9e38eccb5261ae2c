"""Where results are kept: a folder that all programs share, or S3-compatible storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from galaxies.errors import BadInput, Transient
from galaxies.jobs import Result
from jobstore.results import ResultStore


class Results(Protocol):
    """Results by key. Deleting is final; reading never finds half a result; every method but `find_many` may raise `Transient`.

    The methods are described where they are made: `jobstore.results.ResultStore`.
    """

    def find(self, key: str) -> Result | None: ...  # noqa: D102

    def find_many(self, keys: Sequence[str]) -> list[Result | Transient | None]: ...  # noqa: D102

    def open(self, key: str) -> tuple[Result, BinaryIO] | None: ...  # noqa: D102

    def read(self, key: str) -> bytes: ...  # noqa: D102

    def scratch(self) -> AbstractContextManager[Path]: ...  # noqa: D102

    def clear_scratch(self) -> int: ...  # noqa: D102

    def put(self, key: str, source: Path, describe: Result) -> Result: ...  # noqa: D102

    def delete(self, key: str, unless: Callable[[], bool] = ...) -> bool: ...  # noqa: D102

    def entries(self) -> Iterator[tuple[str, float]]: ...  # noqa: D102

    def check_writable(self) -> None: ...  # noqa: D102


def results_at(url: str | None, folder: Path, *, in_haste: bool = False) -> Results:
    """The store at ``url`` (``s3://bucket/prefix``), which makes its files in ``folder``; without a URL ``folder`` itself.

    ``in_haste``: for who answers clients; an outage of the storage shows soon then, instead of being waited for.

    Raises
    ------
    BadInput : no such kind of storage, the URL or what ``AWS_…`` says cannot be used, or the extra ``s3`` is not installed.
    Transient : the folder cannot be made.
    """
    if url is None:
        return ResultStore(folder)
    if not url.startswith("s3://"):
        raise BadInput(
            f"results_url {url!r} is not s3://bucket/prefix; leave it out to keep results in results_dir", field="results_url"
        )
    try:
        from jobstore.objects import ObjectResults  # noqa: PLC0415 - only who keeps results there needs obstore
    except ModuleNotFoundError:
        raise BadInput("results_url needs obstore: pip install 'galsynth[s3]'", field="results_url") from None
    return ObjectResults(url, folder, in_haste=in_haste)
