"""The `circle` command: what it says, and with which exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import NullPool, create_engine, make_url, text

from circle.app import create_app
from circle.cli import circle
from circle.cli.documents import document
from circle.config import SettingError, Settings
from circle.embedded import Engines
from circle.embedded.datafolder import random_free_port
from circle.web.connections import close_connections
from tests.builders.people import Person
from tests.client import World
from tests.conftest import SECRET
from tests.databases import worker_database
from tests.embedded.waiting import wait_for

ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def environ(engines: Engines, worker_id: str) -> Iterator[dict[str, str]]:
    with worker_database(engines.database_url, f"{worker_id}_cli") as url:
        yield {
            **engines.environ(),
            "DATABASE_URL": url,
            "SECRET_KEY": SECRET,
            "TEST_MODE": "on",
            "MAIL_URL": "mailbox:",
            "LOG_LEVEL": "error",
        }


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    def invoke(*arguments: str, **changes: str) -> Result:
        return CliRunner().invoke(circle, arguments, env={**environ, **changes})

    return invoke


@pytest.mark.parametrize("command", ["web", "release", "doctor", "db migrate", "user operator lin@example.org"])
def test_a_missing_setting_is_named_in_one_line(run: Run, command: str) -> None:
    result = run(*command.split(), SECRET_KEY="")

    assert result.exit_code == 2
    assert result.output == "Error: SECRET_KEY is not set\n"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"WEB_WORKERS": "two"}, "WEB_WORKERS must be a whole number, not 'two'"),
        ({"TEST_MODE": "perhaps"}, "TEST_MODE must be on or off, not 'perhaps'"),
        ({"STRIPE_SECRET_KEY": "sk_live_1"}, "TEST_MODE refuses the live key in STRIPE_SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must have at least 32 characters"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(run: Run, changes: dict[str, str], sentence: str) -> None:
    result = run("doctor", **changes)

    assert (result.exit_code, result.output) == (2, f"Error: {sentence}\n")


def test_a_release_can_be_run_again(run: Run) -> None:
    for _ in range(2):
        result = run("release")
        assert result.exit_code == 0, result.output
        assert result.output == "release: the schema is up to date\n"


def test_the_doctor_says_in_plain_words_what_is_wrong(run: Run) -> None:
    result = run("doctor", REDIS_URL="redis://127.0.0.1:1/0")

    assert result.exit_code == 1
    assert "  ok     PostgreSQL answers\n" in result.output
    assert "  ok     the object storage keeps and forgets\n" in result.output
    assert "  WRONG  Redis answers: Redis does not answer" in result.output
    assert "Traceback" not in result.output


def test_the_doctor_sees_that_nobody_sweeps(run: Run, engines: Engines) -> None:
    result = run("doctor", REDIS_URL=engines.redis_url.rpartition("/")[0] + "/8")

    assert result.exit_code == 1
    assert "outbox.relay never ran: is the clock running?" in result.output


def test_commands_look_after_what_runs_on_this_machine(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"settings": environ}), encoding="utf-8")
    elsewhere = dict.fromkeys(environ) | {"CIRCLE_DATA": str(tmp_path)}

    result = CliRunner().invoke(circle, ("billing", "status"), env=elsewhere)

    assert result.exit_code == 0, result.output


def test_a_command_without_an_installation_says_what_to_do(environ: dict[str, str], tmp_path: Path) -> None:
    nowhere = dict.fromkeys(environ) | {"CIRCLE_DATA": str(tmp_path)}

    for command in (("doctor",), ("billing", "status"), ("search", "reindex")):
        result = CliRunner().invoke(circle, command, env=nowhere)
        assert (result.exit_code, result.stderr) == (
            2,
            f"Error: DATABASE_URL is not set, and nothing runs from {tmp_path}: `make up` starts it.\n",
        )


def test_processes_take_their_settings_from_the_environment_alone(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"settings": environ}), encoding="utf-8")
    elsewhere = dict.fromkeys(environ) | {"CIRCLE_DATA": str(tmp_path)}

    result = CliRunner().invoke(circle, ("web",), env=elsewhere)

    assert (result.exit_code, result.stderr) == (2, "Error: DATABASE_URL is not set\n")


def test_the_document_needs_neither_database_nor_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)

    content = document()

    assert content == document()
    assert b"/v1/test/clock" not in content


def test_migrations_are_one_line_and_lead_to_the_declared_tables(run: Run) -> None:
    result = run("db", "check")

    assert result.exit_code == 0, result.output


def test_migrations_can_be_read_as_sql(run: Run) -> None:
    result = run("db", "sql")

    assert result.exit_code == 0
    assert "CREATE TABLE users" in result.output


def test_an_operator_is_appointed_and_dismissed(run: Run, environ: dict[str, str]) -> None:
    with _committed_person(environ) as person:
        assert run("user", "operator", person.email).output == "林晓 is an operator\n"
        assert run("user", "operator", person.email, "--revoke").output == "林晓 is no longer an operator\n"


def test_a_person_is_suspended_and_restored(run: Run, environ: dict[str, str]) -> None:
    with _committed_person(environ) as person:
        assert run("user", "suspend", person.email).output == "林晓 is suspended\n"
        assert run("user", "restore", person.email).output == "林晓 may log in\n"


def test_after_a_restore_automatic_charges_wait_for_the_operator(run: Run) -> None:
    assert run("after-restore").exit_code == 0

    assert "charges are stopped: the database was restored, and what" in run("doctor").output
    assert run("billing", "release-breaker").output == "released: restored\n"
    assert "ok     automatic charges are not stopped" in run("doctor").output


def test_a_role_that_owns_no_tables_is_told_who_brings_a_back_up_to_life(run: Run, environ: dict[str, str]) -> None:
    owner, role = make_url(environ["DATABASE_URL"]), f"serving_{uuid4().hex[:8]}"
    with create_engine(owner, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'"))
        connection.execute(text(f"GRANT {role} TO CURRENT_USER"))
        try:
            assert run("db", "grant", role).exit_code == 0

            serving = owner.set(username=role, password="secret").render_as_string(hide_password=False)
            result = run("after-restore", DATABASE_URL=serving)
        finally:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))

    assert result.exit_code == 1
    assert result.output.startswith("Error: nothing was done: only the owner of the tables may do this")
    assert "ok     automatic charges are not stopped" in run("doctor").output


def test_a_circle_is_given_another_quota(run: Run, environ: dict[str, str]) -> None:
    app = create_app(Settings.from_env(environ))
    with app.app_context():
        circle_id = str(World(app, app.extensions["circle"].units).circle().id)
        close_connections()

    as_set = (
        "attachments: 0 of 107,374,182,400 bytes\nimports of 24 hours: 0 of 21,474,836,480 bytes, 0 of 200,000 posts\n"
    )
    assert run("quota", circle_id).output == as_set
    given = run("quota", circle_id, "--most", "5000", "--import-bytes", "7000").output
    assert given == "attachments: 0 of 5,000 bytes\nimports of 24 hours: 0 of 7,000 bytes, 0 of 200,000 posts\n"
    assert "7,000 bytes, 0 of 9 posts" in run("quota", circle_id, "--import-posts", "9").output
    assert run("quota", circle_id, "--default").output == as_set
    assert run("quota", str(UUID(int=0)), "--most", "1").output == "Error: Not found.\n"


def test_a_role_that_is_not_there_is_given_nothing(run: Run) -> None:
    result = run("db", "grant", "nobody yet")

    assert result.exit_code == 1
    assert result.output.startswith('Error: there is no role "nobody yet" yet: CREATE ROLE "nobody yet"')


def test_an_unknown_operator_is_refused(run: Run) -> None:
    result = run("user", "operator", "nobody@example.org")

    assert result.exit_code == 1
    assert result.output == "Error: There is no account for this address yet.\n"


def test_the_web_process_serves_drains_and_stops(environ: dict[str, str], tmp_path: Path) -> None:
    port = random_free_port("127.0.0.1")
    log = tmp_path / "web.log"
    settings = {"PORT": str(port), "WEB_WORKERS": "2", "DRAIN_SECONDS": "2"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from circle.cli import main; main()", "web"],
            cwd=tmp_path,
            env={**os.environ, **environ, "PYTHONPATH": str(ROOT), **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            wait_for(lambda: process.poll() is not None or _answers(client), "the web process")
            assert client.get("/readyz").json()["status"] == "ok", log.read_text()
            # Counted by both processes into one page.
            for _ in range(8):
                client.get("/healthz", headers={"Connection": "close"})
            counted = [
                line for line in client.get("/metrics").text.splitlines() if "healthz" in line and "requests" in line
            ]
            assert len(counted) == 1
            assert float(counted[0].split()[-1]) >= 8

            process.terminate()
            wait_for(lambda: client.get("/healthz").status_code == 503, "it to say that it drains")
            assert client.get("/readyz").status_code == 200
    finally:
        process.terminate()
        code = process.wait(15)
    assert code == 0, log.read_text()
    assert "refused to gracefully stop" not in log.read_text()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("DRAIN_SECONDS", "-1"), ("CHARGE_THREADS", "0"), ("NOTICE_DAYS", "28"), ("WEB_WORKERS", "0")],
)
def test_a_setting_out_of_its_range_is_named(environ: dict[str, str], setting: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"{setting} must be between"):
        Settings.from_env({**environ, setting: value})


def test_the_documents_written_from_the_code_are_fresh(run: Run) -> None:
    assert run("settings", "--check").exit_code == 0
    assert run("openapi", "--check").exit_code == 0


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _committed_person(environ: dict[str, str]) -> Iterator[Person]:
    app = create_app(Settings.from_env(environ))
    with app.app_context():
        yield World(app, app.extensions["circle"].units).person()
        close_connections()
