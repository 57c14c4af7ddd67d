"""docs/walkthrough.md, executed: every block by bash against the real thing, every `#>` compared."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from circle.embedded import stop_engines
from circle.embedded.datafolder import random_free_port
from tests.embedded.waiting import wait_for

ROOT = Path(__file__).parents[2]
CIRCLE = (sys.executable, "-c", "from circle.cli import main; main()")
PAGE = ROOT / "docs" / "walkthrough.md"
_ENGINES = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "SECRET_KEY", "SITE_URL")
_EXPECTED = "#> "
_END_OF_BLOCK = "-- end of block --"
_LONGEST_SECONDS = 300


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def environ() -> dict[str, str]:
    """The environment of somebody who has just cloned it, with engines of its own, and a mailbox as the page says."""
    return {name: value for name, value in os.environ.items() if name not in _ENGINES}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of an installation in test mode, started as `make up` starts it; it must end cleanly."""
    folder = tmp_path_factory.mktemp("walkthrough")
    data, log = folder / "data", folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*CIRCLE, "up", "--data", str(data), "--port", str(random_free_port()), "--test-mode"],
            cwd=ROOT,
            env=environ(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: (data / "run.json").exists() or process.poll() is not None, "run.json")
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield data
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, log.read_text(encoding="utf-8")
        assert not (data / "run.json").exists()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        stop_engines(data)


def test_what_the_walkthrough_shows_is_what_happens(running: Path) -> None:
    base_url = json.loads((running / "run.json").read_text(encoding="utf-8"))["base_url"]
    script = f"\necho '{_END_OF_BLOCK}'\n".join(blocks())

    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 - wherever bash is
        env={**environ(), "BASE": base_url},
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )

    said = [block.split("\n") for block in done.stdout.split(f"{_END_OF_BLOCK}\n")]
    shown = [[line for line in block.split("\n") if line.startswith(_EXPECTED)] for block in blocks()]
    assert [[f"{_EXPECTED}{line}" for line in block if line] for block in said] == shown, done.stderr
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_fills_a_running_installation(running: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*CIRCLE, "demo", "--data", str(running), "--members", "30"],
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The example is ready: 34 members, ")
    assert (running / "demo.json").exists()
