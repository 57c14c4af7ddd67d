"""What `deploy/` and `docs/operating.md` name exists: metrics, alerts, settings, commands."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import click
import pytest
import yaml
from flask import Flask

from circle.billing import oversight
from circle.cli.root import circle
from circle.config import Settings
from circle.jobs import load_job
from circle.kernel.queue import QUEUES
from circle.kernel.uow import Units

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "circle.json").read_text(encoding="utf-8"))
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


def test_every_alert_says_what_to_do() -> None:
    told = set(re.findall(r"^\| (Circle\w+) \|", OPERATING, re.MULTILINE))

    assert told == {rule["alert"] for rule in ALERTS}


def test_every_alert_is_tried() -> None:
    tried = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]

    assert [one["name"] for one in tried] == [rule["alert"] for rule in ALERTS]


@pytest.mark.reliability
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_alerts_fire_when_they_shall_and_not_before() -> None:
    command = ["promtool", "test", "rules", "alerts_test.yml"]
    tried = subprocess.run(command, cwd=DEPLOY / "prometheus", capture_output=True, check=False)  # noqa: S603

    assert tried.returncode == 0, tried.stderr.decode()


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_pages_name_commands_that_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    code = "\n".join(block or inline for block, inline in re.findall(r"```sh\n(.*?)```|`([^`]+)`", text, re.DOTALL))
    named = re.findall(r"(?:^|&& )circle ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", code, re.MULTILINE)

    for word, further in named:
        command = circle.get_command(click.Context(circle), word)
        assert command is not None, word
        if isinstance(command, click.Group) and further:
            assert further in command.commands, f"{word} {further}"


def test_alerts_and_dashboard_read_metrics_that_exist(app: Flask, units: Units) -> None:
    load_job("billing.verify").run(units)  # what it finds is kept for the page
    page = app.test_client().get("/metrics").text

    named = set(re.findall(r"circle_[a-z_]+", " ".join(EXPRESSIONS)))

    there = set(re.findall(r"^# TYPE (circle_[a-z_]+) ", page, re.MULTILINE))
    parts = {f"{name}_{part}" for name in there for part in ("total", "bucket")}
    assert named <= there | parts


def test_alerts_and_dashboard_read_figures_of_billing_that_exist(units: Units) -> None:
    named = [
        re.compile(one) for found in re.findall(r'what=~?"([^"]+)"', " ".join(EXPRESSIONS)) for one in found.split("|")
    ]

    with units.read() as uow:
        figures = oversight.figures(uow)

    assert named
    assert all(any(pattern.fullmatch(figure) for figure in figures) for pattern in named)


def test_the_example_of_an_environment_names_settings() -> None:
    lines = (DEPLOY / "circle.env.example").read_text(encoding="utf-8").splitlines()

    named = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}

    assert named
    assert named <= {one.name.upper() for one in fields(Settings)}


@pytest.mark.parametrize("process", ["web", "worker", "clock"])
def test_units_run_what_the_procfile_runs(process: str) -> None:
    commands = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())
    unit = next((DEPLOY / "systemd").glob(f"circle-{process}*.service")).read_text(encoding="utf-8")

    started = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)

    assert [shlex.split(one)[0].rpartition("/")[2] + one[len(shlex.split(one)[0]) :] for one in started] == [
        commands[process]
    ]


def test_the_image_is_made_of_what_the_repository_has() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)

    assert copied
    assert all((ROOT / source).exists() for sources in copied for source in sources.split())


def test_a_page_names_each_queue_a_host_may_be_given() -> None:
    assert set(QUEUES) >= set(re.findall(r"python -m workers (\w+)", OPERATING))
