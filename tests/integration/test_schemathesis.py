"""The OpenAPI document against the live service, by every check that schemathesis has, without API keys and with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.keys.store import KeyFile
from tests.programs import Up, missing, serving

EXAMPLES = 15
SECONDS = 280
CALLERS = ("alice", "bob")
# All checks are on. What the document cannot say of a request that is right by its schema:
# 406: an `Accept` that leaves nothing; its grammar is that of HTTP.
# 422: a class, layer, band or stretch that the model of the request lacks, more pixels than the limits; the model's card and the
#      service's settings decide. (Where the service makes no calls, `X-Callback-URL` is refused too.)
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "406", "409", "429", "5xx"]

[[operations]]
include-path = [
    "/v1/generate", "/v1/interpolate", "/v1/mix", "/v1/arithmetic",
    "/v1/galaxies/{model}/{seed}.png", "/v1/galaxies/{model}/{seed}.fits",
]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "406", "409", "422", "429", "5xx"]
"""
# Calls go to where nobody listens, on this machine. No caller gets what another one made.
WITH_KEYS = """
[parameters]
"header.X-Callback-URL" = "http://127.0.0.1:9/"

[auth.wfc]
path = "callers.json"
peers = ["alice", "bob"]
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A service that asks for keys and calls back."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "secret").write_text("for tests: 24 bytes or more")
    (folder / "callers.json").write_text(json.dumps(callers(KeyFile(folder / "keys.json"))))
    environ = {
        "GALSYNTH_REQUIRE_KEYS": "true",
        "GALSYNTH_KEYS_FILE": str(folder / "keys.json"),
        "GALSYNTH_WEBHOOK_SECRET_FILE": str(folder / "secret"),
        "GALSYNTH_WEBHOOK_PRIVATE_ADDRESSES": "true",
        "GALSYNTH_WEBHOOK_TRIES": "1",
    }
    with serving(folder, "--workers", "1", environ=environ) as up:
        yield up


def callers(keys: KeyFile) -> dict[str, object]:
    """New keys without a rate, in the form in which schemathesis takes the credentials of several callers."""
    tokens = {name: keys.create(name, requests_per_minute=0)[0] for name in CALLERS}
    headers = {name: [{"name": "Authorization", "value": f"Bearer {token}"}] for name, token in tokens.items()}
    return {"schemaVersion": "0.1.0", "auth": [{"name": name, "fixedHeaders": headers[name]} for name in CALLERS]}


def check(url: str, folder: Path, config: str) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        missing("schemathesis (pip install 'galsynth[dev]')")
    (folder / "schemathesis.toml").write_text(config)
    options = ["--url", url, "--checks", "all", "-n", str(EXAMPLES), "--seed", "1", "--request-timeout", "60", "--no-color"]
    command = [str(program), "run", f"{url}/openapi.json", *options]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ran.returncode == 0, ran.stdout[-10_000:] + ran.stderr[-2_000:]


def test_the_service_keeps_its_document(service: str, tmp_path: Path) -> None:
    check(service, tmp_path, CONFIG)


def test_the_service_keeps_its_document_with_keys_and_callers_from_each_other(guarded: Up) -> None:
    check(guarded.url, guarded.data.parent, CONFIG + WITH_KEYS)
