"""`circle demo`: what it fills an installation with, and that it leaves one in order."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from circle.app import create_app
from circle.billing.invariants import violations
from circle.checkins.entry_models import Certificate
from circle.checks import DOCTOR, sweeps_run
from circle.cli import circle as command
from circle.config import Settings
from circle.embedded import Engines
from circle.kernel.uow import Units
from circle.web.connections import close_connections
from circle.web.system import system
from tests.client import Api
from tests.conftest import SECRET
from tests.databases import worker_database

MEMBERS = 30


@pytest.fixture(scope="module")
def environ(engines: Engines, worker_id: str) -> Iterator[dict[str, str]]:
    with worker_database(engines.database_url, f"{worker_id}_demo") as url:
        yield {
            **engines.environ(),
            "DATABASE_URL": url,
            "SECRET_KEY": SECRET,
            "LOG_LEVEL": "error",
            "MAIL_URL": "mailbox:",
            "RATE_LIMITS": "off",
        }


def run(environ: dict[str, str], folder: Path) -> Result:
    arguments = ("demo", "--data", str(folder), "--members", str(MEMBERS))
    return CliRunner().invoke(command, arguments, env=environ, catch_exceptions=False)


@pytest.fixture(scope="module")
def filled(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, run(environ, folder)


@pytest.fixture
def units(environ: dict[str, str], filled: tuple[Path, Result]) -> Iterator[Units]:
    with create_app(Settings.from_env(environ)).app_context():
        yield system().units
        close_connections()


@pytest.fixture
def owner(environ: dict[str, str], filled: tuple[Path, Result]) -> Iterator[Api]:
    """Whoever logs in with what was printed."""
    email, password = json.loads((filled[0] / "demo.json").read_text())["login"][0].split()
    app = create_app(Settings.from_env(environ))
    token = Api(app).post("/auth/login", {"email": email, "password": password}).ok()["token"]
    yield Api(app, token)
    with app.app_context():
        close_connections()


@pytest.fixture
def path(owner: Api) -> str:
    [circle] = owner.get("/me/circles").ok()["items"]
    return f"/circles/{circle['circle']['id'] if 'circle' in circle else circle['id']}"


def test_it_says_what_it_made_and_how_to_log_in(filled: tuple[Path, Result]) -> None:
    folder, result = filled
    [line] = json.loads((folder / "demo.json").read_text())["login"]

    assert result.exit_code == 0
    assert result.stdout.startswith("The example is ready: 34 members, ")
    assert result.stdout.endswith(f"Log in as {line}\n")


def test_a_second_run_changes_nothing(environ: dict[str, str], filled: tuple[Path, Result]) -> None:
    folder, _first = filled
    before = (folder / "demo.json").read_text()

    again = run(environ, folder)

    assert again.exit_code == 0
    assert again.stdout.startswith("The example is there already: 34 members, ")
    assert (folder / "demo.json").read_text() == before


def test_there_are_members_in_every_state_and_role(owner: Api, path: str) -> None:
    people = owner.get(f"{path}/members?limit=100").ok()["items"]
    for status in ("pending", "expired", "left", "removed", "banned"):
        people += owner.get(f"{path}/members?limit=100&status={status}").ok()["items"]

    assert {one["status"] for one in people} == {"active", "pending", "expired", "left", "removed", "banned"}
    assert {one["role"] for one in people} == {"owner", "partner", "admin", "guest", "member"}
    assert {one["tier"]["name"] for one in people if one["tier"]} == {"读者", "学员", "导师班"}
    assert any(one["muted_until"] for one in people)


def test_weeks_of_life_are_there(owner: Api, path: str) -> None:
    posts = owner.get(f"{path}/posts?limit=100").ok()["items"]
    questions = [post["question"] for post in posts if post["kind"] == "question"]

    assert {post["kind"] for post in posts} == {"talk", "article", "question"}
    assert len({post["published_at"][:10] for post in posts}) > 20
    assert {question["status"] for question in questions} == {"answered", "refunded"}
    assert {question["amount"] is None for question in questions} == {True, False}
    assert any(post["digest"] for post in posts)
    assert any(post["reaction_counts"] for post in posts)
    assert len(owner.get(f"{path}/columns").ok()["items"]) == 7
    assert len(owner.get(f"{path}/pins").ok()["items"]) == 2
    assert owner.get(f"{path}/start-here").ok()["chosen"]
    assert any(one["keepers"] for one in owner.get(f"{path}/archive-report").ok()["most_read"])
    assert owner.get("/me/notifications").ok()["items"]


def test_a_camp_of_21_days_is_in_its_twelfth_with_members_in_all_states(owner: Api, path: str) -> None:
    camp, warm_up = owner.get(f"{path}/camps").ok()["items"]
    first = date.fromisoformat(camp["starts_on"])
    months = dict.fromkeys((camp["starts_on"][:7], camp["today"][:7]))
    people = [
        one for month in months for one in owner.get(f"/camps/{camp['id']}/class-calendar?month={month}").ok()["items"]
    ]

    assert (date.fromisoformat(camp["ends_on"]) - first).days == 20
    assert (date.fromisoformat(camp["today"]) - first).days == 11
    assert {day["state"] for one in people for day in one["days"]} == {
        "done", "made_up", "leave", "missed", "open", "upcoming",
    }  # fmt: skip
    assert any(day["late"] for one in people for day in one["days"])
    assert max(one["streak"] for one in people) == 12
    assert owner.get(f"/camps/{camp['id']}/at-risk").ok()["items"]
    assert owner.get(f"/camps/{camp['id']}/check-ins?pinned=true").ok()["items"][0]["note"]
    assert warm_up["state"] == "over"


def test_the_short_camp_gave_certificates(owner: Api, units: Units) -> None:
    with units.read() as uow:
        certificates = uow.session.scalars(select(Certificate)).all()

    assert certificates
    shown = owner.as_(None).get(f"/certificates/{certificates[0].code}").ok()
    assert (shown["valid"], shown["camp"], shown["days"]) == (True, "三天热身营", 3)
    assert shown["pdf_url"], "a worker has printed it"


def test_an_assignment_has_works_in_all_states(owner: Api, path: str) -> None:
    [assignment] = owner.get(f"{path}/assignments").ok()["items"]
    works = owner.get(f"/assignments/{assignment['id']}/submissions").ok()["items"]
    columns = {one["name"]: one for one in owner.get(f"{path}/columns").ok()["items"]}

    assert {(one["state"], one["number"]) for one in works} == {
        ("excellent", 1), ("passed", 2), ("redo", 1), ("submitted", 1),
    }  # fmt: skip
    assert owner.get(f"/assignments/{assignment['id']}/queue").ok()["counts"]["waiting"] == 1
    assert owner.get(f"/assignments/{assignment['id']}/missing").ok()["items"]
    assert owner.get(f"/assignments/{assignment['id']}/extensions").ok()["items"]
    [shown] = owner.get(f"{path}/posts?column={columns['优秀作业']['id']}").ok()["items"]
    assert shown["title"] == "写一个开头"


def test_rebuilding_figures_finds_nothing_to_change(
    environ: dict[str, str], filled: tuple[Path, Result], owner: Api, path: str
) -> None:
    camp_id = owner.get(f"{path}/camps").ok()["items"][0]["id"]

    for arguments in (("camps", "rebuild"), ("camps", "rebuild", camp_id)):
        done = CliRunner().invoke(command, arguments, env=environ, catch_exceptions=False)
        assert (done.exit_code, done.output) == (0, "0 members' figures were not as their days say, and are now\n")


def test_the_books_are_in_order(units: Units) -> None:
    with units.read() as uow:
        assert violations(uow) == []


@pytest.mark.parametrize("check", [one for one in DOCTOR if one.run is not sweeps_run], ids=lambda one: one.name)
def test_the_doctor_finds_nothing(units: Units, check: object) -> None:
    assert check.run(units) is None  # type: ignore[attr-defined]


def test_without_an_installation_it_says_what_to_start(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ("demo", "--data", str(tmp_path)), env={"DATABASE_URL": None})

    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: DATABASE_URL is not set, and nothing runs from {tmp_path}: `make up` starts it.\n",
    )
