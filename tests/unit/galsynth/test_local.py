from __future__ import annotations

import http.server
import importlib.metadata
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from galaxies.errors import BadInput
from galsynth import local
from galsynth.console import Console
from galsynth.local import api_lacks, default_workers, gpus, own_data_folder, service_plan, welcome
from galsynth.server import EmbeddedServer, free_port
from galsynth.settings import Settings

Serve = Callable[[int, bytes], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts an HTTP server that answers everything alike; returns its port."""
    servers = []

    def start(status: int, body: bytes) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_ready_lacks_nothing(serve: Serve) -> None:
    assert api_lacks("127.0.0.1", serve(200, b"{}")) is None


def test_a_problem_says_what_is_missing(serve: Serve) -> None:
    assert api_lacks("127.0.0.1", serve(503, b'{"detail": "no worker"}')) == "no worker"


def test_a_foreign_answer_is_quoted(serve: Serve) -> None:
    assert api_lacks("127.0.0.1", serve(404, b"Not Found")) == "/readyz answers 404: Not Found"


def test_no_answer_is_said() -> None:
    assert "does not answer" in (api_lacks("127.0.0.1", free_port()) or "")


def test_two_services_never_share_a_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    running = own_data_folder(folder)
    refusal = pytest.raises(BadInput, match="another galsynth runs with the data folder")
    with running, refusal, own_data_folder(folder):
        pass
    with own_data_folder(folder):
        pass


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be used"), own_data_folder(tmp_path / "file" / "data"):
        pass


def test_programs_get_the_server_the_port_and_the_data_folder(tmp_path: Path) -> None:
    server = EmbeddedServer(Path("/bin/server"), tmp_path, 6380, "x")
    plan = service_plan(Settings(environ={"LANG": "C"}), server, port=8001, workers=3, data=tmp_path, console=Console())
    assert [program.name for program in plan.workers] == ["worker-1", "worker-2", "worker-3"]
    for program in (plan.api, *plan.workers):
        assert program.environ["REDIS_URL"] == server.url
        assert program.environ["PORT"] == "8001"
        assert program.environ["GALSYNTH_RESULTS_DIR"] == str(tmp_path / "results")
        assert program.environ["GALSYNTH_MODELS_DIRS"] == str(tmp_path / "models")
        assert program.environ["LANG"] == "C"
    assert plan.server is not None


def test_an_outside_server_means_no_embedded_one(tmp_path: Path) -> None:
    settings = Settings(redis_url="redis://elsewhere/0", results_dir=Path("/results"), models_dirs="/a:/b")
    plan = service_plan(settings, None, port=8000, workers=1, data=tmp_path, console=Console())
    assert plan.server is None
    assert plan.api.environ["REDIS_URL"] == "redis://elsewhere/0"
    assert plan.api.environ["GALSYNTH_RESULTS_DIR"] == "/results"
    assert plan.api.environ["GALSYNTH_MODELS_DIRS"] == "/a:/b"


def test_a_mistyped_setting_is_told_once_and_not_by_each_program(tmp_path: Path) -> None:
    settings = Settings.read({"REDIS_URL": "redis://x", "HOME": "/h", "GALSYNTH_PROT": "8001", "GALSYNTH_GPU": "1"})
    printed = io.StringIO()
    plan = service_plan(settings, None, port=1, workers=2, data=tmp_path, console=Console(printed))
    assert printed.getvalue() == "galsynth | GALSYNTH_PROT is no setting and is ignored; did you mean GALSYNTH_PORT?\n"
    for program in (plan.api, *plan.workers):
        assert "GALSYNTH_PROT" not in program.environ
        assert program.environ["GALSYNTH_GPU"] == "1"


def test_the_welcome_names_address_documentation_and_a_first_command() -> None:
    text = "\n".join(welcome("127.0.0.1", 8001, 3.21))
    assert "ready after 3.2 s: http://127.0.0.1:8001" in text
    assert "http://127.0.0.1:8001/docs" in text
    assert "curl -o galaxy.png" in text


def test_there_is_always_a_worker_and_never_a_crowd() -> None:
    assert 1 <= default_workers() <= 4


def test_each_worker_gets_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert gpus(tmp_path) == 0, "ONNX Runtime without CUDA uses none"
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.31.1")
    assert gpus(tmp_path) == 2
    monkeypatch.setattr(local, "gpus", lambda: 2)
    assert default_workers() == 2
    plan = service_plan(Settings.read({"REDIS_URL": "redis://x"}), None, port=1, workers=3, data=tmp_path, console=Console())
    assert [worker.environ["GALSYNTH_GPU"] for worker in plan.workers] == ["0", "1", "0"]
    chosen = Settings.read({"REDIS_URL": "redis://x", "GALSYNTH_GPU": "7"})
    plan = service_plan(chosen, None, port=1, workers=2, data=tmp_path, console=Console())
    assert {worker.environ["GALSYNTH_GPU"] for worker in plan.workers} == {"7"}
