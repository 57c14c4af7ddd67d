"""Data folders that leave nothing running, and a made-up application small enough to start in a blink."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from circle.embedded import Engines, start_engines, stop_engines

_APP = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *args):
        pass

print("web listens", flush=True)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def make_folder(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    made: list[Path] = []

    def make(name: str = "data") -> Path:
        made.append(tmp_path / name)
        return made[-1]

    yield make
    for folder in made:
        stop_engines(folder)


@pytest.fixture(scope="module")
def shared_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """For tests that only look."""
    folder = tmp_path_factory.mktemp("engines") / "data"
    yield start_engines(folder, durable=False)
    stop_engines(folder)


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    """An application with a web process that is ready at once."""
    (tmp_path / "app.py").write_text(_APP, encoding="utf-8")
    path = tmp_path / "Procfile"
    path.write_text(
        f"release: {sys.executable} -c \"print('released')\"\n"
        f"web: {sys.executable} app.py\n"
        "worker: sleep 1000\n"
        "clock: sleep 1000\n",
        encoding="utf-8",
    )
    return path
