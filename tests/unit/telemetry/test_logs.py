"""What a caller sends is shown in the log, and moves neither the terminal that shows it nor the lines around it."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from telemetry.logs import configure_logging

configure_logging("info", as_json={as_json})
sent = "/v1/\\x1b]0;owned\\x07\\x9b2J\\u202e\\n2026 [info] forged é/galaxy"
structlog.get_logger("ours").info("request", path=sent.split()[0], reason=ValueError(sent), both=[sent])
logging.getLogger("theirs").warning("refused %s", sent)
try:
    raise ValueError(sent.replace("\\n", " "))
except ValueError:
    structlog.get_logger("ours").exception("unforeseen error " + sent)
"""
SENT = "/v1/\x1b]0;owned\x07\x9b2J\u202e\n2026 [info] forged é/galaxy"


def _logged(*, as_json: bool) -> list[str]:
    program = PROGRAM.format(as_json=as_json)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, encoding="utf-8")
    return done.stderr.split("\n")


def test_lines_of_text_obey_nothing_that_a_caller_sends() -> None:
    lines = _logged(as_json=False)
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("2026 [info]")] == []
    shown = "/v1/\\x1b]0;owned\\x07\\x9b2J\\u202e\\n2026 [info] forged é/galaxy"
    assert "path=/v1/\\x1b]0;owned\\x07\\x9b2J\\u202e " in lines[0]
    assert f"refused {shown}" in lines[1]
    assert lines[3] == "Traceback (most recent call last):"
    assert lines[-2] == "ValueError: " + shown.replace("\\n", " ")


def test_lines_of_json_hold_what_came() -> None:
    ours, theirs, error = map(json.loads, _logged(as_json=True)[:-1])
    assert ours["path"] == SENT.split(maxsplit=1)[0]
    assert theirs["event"] == f"refused {SENT}"
    assert error["event"] == f"unforeseen error {SENT}"
