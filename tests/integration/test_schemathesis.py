"""The OpenAPI document against the live service: nothing answers 5xx, and every answer is one that the document describes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.programs import missing

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
]
EXAMPLES = 15
SECONDS = 280


def test_the_service_keeps_its_document(service: str, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        missing("schemathesis (pip install 'galsynth[dev]')")
    options = ["--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS), "-n", str(EXAMPLES), "--seed", "1"]
    options += ["--no-color"]
    command = [str(program), "run", f"{service}/openapi.json", "--url", service, "--request-timeout", "60", *options]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ran.returncode == 0, ran.stdout[-10_000:] + ran.stderr[-2_000:]
