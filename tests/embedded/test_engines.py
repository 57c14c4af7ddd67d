"""Starting, finding, restarting and stopping the engines of a data folder."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg
import pytest
import redis

from circle.embedded import Engines, datafolder, start_engines, stop_engines
from circle.embedded.datafolder import DataFolder
from circle.embedded.postgres import anyone_can_enter
from tests.embedded.waiting import is_running, wait_for

MakeFolder = Callable[..., Path]


def connect(engines: Engines) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(engines.database_url.replace("+psycopg", ""), autocommit=True)


def object_store(engines: Engines) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=engines.s3_endpoint,
        aws_access_key_id=engines.s3_access_key,
        aws_secret_access_key=engines.s3_secret_key,
        region_name="us-east-1",
    )


@contextmanager
def _folder_of(user: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="circle-test-") as name:
        shutil.chown(name, user)
        yield Path(name)


def leave_a_mark(engines: Engines) -> None:
    with connect(engines) as connection:
        connection.execute("CREATE TABLE mark AS SELECT 'kept' AS word")
    with redis.Redis.from_url(engines.redis_url) as valkey:
        valkey.set("mark", "kept")
    store = object_store(engines)
    store.put_object(Bucket="circle", Key="mark", Body=b"kept")
    store.close()


def assert_mark_is_there(engines: Engines) -> None:
    with connect(engines) as connection:
        assert connection.execute("SELECT word FROM mark").fetchone() == ("kept",)
    with redis.Redis.from_url(engines.redis_url) as valkey:
        assert valkey.get("mark") == b"kept"
    store = object_store(engines)
    assert store.get_object(Bucket="circle", Key="mark")["Body"].read() == b"kept"
    store.close()


def test_a_restart_keeps_data_ports_and_credentials(make_folder: MakeFolder) -> None:
    folder = make_folder()
    first = start_engines(folder)
    leave_a_mark(first)
    stop_engines(folder)
    assert not any(is_running(pid) for pid in first.pids.values())

    second = start_engines(folder)

    assert second.environ() == first.environ()
    assert_mark_is_there(second)


def test_running_engines_are_found_and_used_again(make_folder: MakeFolder) -> None:
    folder = make_folder()
    first = start_engines(folder, durable=False)
    assert start_engines(folder, durable=False) == first


def test_killed_engines_recover_with_their_data(make_folder: MakeFolder) -> None:
    folder = make_folder()
    first = start_engines(folder)
    leave_a_mark(first)
    for pid in first.pids.values():
        os.kill(pid, signal.SIGKILL)
    # The server's own children end by themselves a moment later: starting again must cope with them.
    second = start_engines(folder)

    assert not set(first.pids.values()) & set(second.pids.values())
    assert_mark_is_there(second)


def test_a_stale_pid_file_of_a_living_stranger_is_no_obstacle(make_folder: MakeFolder) -> None:
    folder = make_folder()
    postgres = frozenset({"postgres"})
    first = start_engines(folder, durable=False, which=postgres)
    os.kill(first.pids["postgres"], signal.SIGKILL)
    wait_for(lambda: not is_running(first.pids["postgres"]), "the server's end")
    pid_file = folder / "postgres/data/postmaster.pid"
    lines = pid_file.read_text(encoding="utf-8").splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8")

    second = start_engines(folder, durable=False, which=postgres)

    assert is_running(second.pids["postgres"])


def test_a_taken_port_is_replaced_and_named(make_folder: MakeFolder) -> None:
    folder = make_folder()
    valkey = frozenset({"valkey"})
    first = start_engines(folder, durable=False, which=valkey)
    port = DataFolder(folder).recall("valkey_port")
    stop_engines(folder)
    with socket.create_server(("127.0.0.1", port)):
        second = start_engines(folder, durable=False, which=valkey)

    assert f":{port}/" in first.redis_url
    assert f":{port}/" not in second.redis_url
    assert any(str(port) in note for note in second.notes)


def test_two_folders_at_once_do_not_disturb_each_other(make_folder: MakeFolder) -> None:
    folders = [make_folder("one"), make_folder("two")]
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda folder: start_engines(folder, durable=False), folders)
    assert not set(one.pids.values()) & set(two.pids.values())
    assert not set(one.environ().values()) & set(two.environ().values()) - {"circle", "us-east-1"}

    stop_engines(folders[0])

    leave_a_mark(two)
    assert_mark_is_there(two)


def test_a_port_that_a_stranger_took_meanwhile_is_not_taken_for_ours(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = frozenset({"postgres"})
    one, two = make_folder("one"), make_folder("two")
    first = start_engines(one, durable=False, which=postgres)
    DataFolder(two).remember("postgres_port", DataFolder(one).recall("postgres_port"))
    said = iter([True])  # it was free when the second one looked
    look = datafolder.is_free
    monkeypatch.setattr(datafolder, "is_free", lambda *address: next(said, None) or look(*address))

    second = start_engines(two, durable=False, which=postgres)

    assert second.database_url.rpartition("@")[2] != first.database_url.rpartition("@")[2]
    with connect(first) as one_server, connect(second) as other_server:
        assert one_server.execute("SELECT 1").fetchone() == other_server.execute("SELECT 1").fetchone()


def test_everything_listens_on_loopback_only(shared_engines: Engines) -> None:
    addresses = {
        connection.laddr.ip
        for pid in shared_engines.pids.values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_credentials_are_readable_by_their_owner_only(shared_engines: Engines) -> None:
    files = [path for path in shared_engines.data_dir.iterdir() if path.is_file()]
    assert {"secrets.json", "engines.json"} <= {path.name for path in files}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    words = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in shared_engines.pids.values())
    secrets = DataFolder(shared_engines.data_dir).read_json("secrets.json").values()
    assert not [secret for secret in secrets if secret in words]


def test_the_environment_names_every_engine(shared_engines: Engines) -> None:
    settings = shared_engines.environ()
    assert settings.keys() == {
        "DATABASE_URL",
        "REDIS_URL",
        "S3_ENDPOINT",
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "S3_BUCKET",
        "S3_REGION",
    }
    assert settings["DATABASE_URL"].startswith("postgresql+psycopg://circle:")


def test_engines_not_asked_for_are_not_in_the_environment(make_folder: MakeFolder) -> None:
    engines = start_engines(make_folder(), durable=False, which=frozenset({"valkey"}))
    assert engines.environ().keys() == {"REDIS_URL"}
    assert engines.pids.keys() == {"valkey"}


def test_the_database_is_utf8_in_utc_and_of_an_ordinary_role(shared_engines: Engines) -> None:
    with connect(shared_engines) as connection:
        row = connection.execute(
            "SELECT current_setting('server_encoding'), current_setting('timezone'), upper('é'),"
            " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        ).fetchone()
        connection.execute("CREATE EXTENSION pg_trgm")
    assert row == ("UTF8", "UTC", "É", False)


def test_a_wrong_password_is_refused(shared_engines: Engines) -> None:
    url = shared_engines.database_url.replace("+psycopg", "")
    password = DataFolder(shared_engines.data_dir).secret("postgres_password")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "wrong"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_root_postgres_runs_as_somebody_else_below_a_closed_folder(make_folder: MakeFolder) -> None:
    closed = make_folder("closed")
    closed.mkdir(mode=0o700)
    engines = start_engines(closed / "data", durable=False, which=frozenset({"postgres"}))
    try:
        assert psutil.Process(engines.pids["postgres"]).uids().effective != 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        with connect(engines) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop_engines(closed / "data")


_AS_NOBODY = """
import os, pwd, sys
from pathlib import Path
from circle.embedded import start_engines, stop_engines

warm, mine = map(Path, sys.argv[1:])
# Loads every module now: an interpreter in root's home can't be read any more later.
start_engines(warm, durable=False)
stop_engines(warm)
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)
os.environ["HOME"] = str(mine)
engines = start_engines(mine / "data", durable=False)
again = start_engines(mine / "data", durable=False)
stop_engines(mine / "data")
print("started" if engines == again and len(engines.pids) == 3 else "failed")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
@pytest.mark.skipif(not anyone_can_enter(Path(sys.prefix)), reason="this environment is closed to other users")
def test_an_ordinary_user_can_run_them(make_folder: MakeFolder) -> None:
    # Below the system's temporary folder: the user may not enter the one of the tests.
    with _folder_of("nobody") as mine:
        result = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-c", _AS_NOBODY, str(make_folder("warm")), str(mine)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    assert result.stdout.strip() == "started", result.stderr
