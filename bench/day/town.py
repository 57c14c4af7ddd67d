"""The people of a day: circles, members and an archive with its index, filled once; camps and renewals of each run."""

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from redis import Redis
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text

from bench.installation import ROOT, without_foreign_keys
from circle import jobs
from circle.app import create_app
from circle.config import Settings
from circle.database import migrate, newest_revision
from circle.embedded import start_engines, stop_engines
from circle.kernel.ids import digest
from circle.kernel.queue import SilentDoorbell
from circle.web.connections import close_connections

TOWN, DAWN = (Path(__file__).with_name(name) for name in ("town.sql", "dawn.sql"))
FILLED = {"circles": 200, "people": 20_000, "texts": 20_000}
CAMPS = 20
# Texts are made of so many words, the first the most common; a text of so many.
_WORDS, _A_TEXT, _A_SENTENCE = 4_000, 90, 9
_CHARACTERS = range(0x4E00, 0x4E00 + 2_500)
# People look for what is not in every text.
_COMMON = 20
_QUERIES = 2_000
# Where a day begins at that hour; it has to last longer than the run.
_DAYBREAK = 6
_TOMORROW = timedelta(days=1)


@dataclass(frozen=True)
class Town:
    """Who may come: a member is (person, circle, rank), a check-in (person, camp) that was not done today."""

    members: list[tuple[int, int, int]]
    check_ins: list[tuple[int, str]]
    queries: list[str]
    # Of the camps' zone.
    month: str


def prepare(folder: Path, environ: Mapping[str, str], *, renewals: int, night_seconds: float) -> Town:
    """Make a fresh database of the installation in `folder` out of the filled one, which is kept between runs."""
    engines = start_engines(folder)
    try:
        given = {**environ, **engines.environ(), "SECRET_KEY": "f" * 64, "LOG_LEVEL": "warning"}
        url = make_url(engines.database_url)
        Redis.from_url(engines.redis_url).flushall()
        filled = url.set(database=f"day_{_version()}")
        admin = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for name in connection.execute(text("SELECT datname FROM pg_database")).scalars().all():
                if name == url.database or (name.startswith("day_") and name != filled.database):
                    connection.execute(text(f'DROP DATABASE "{name}"'))
            if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :n"), {"n": filled.database}):
                _fill(connection, filled, given)
            connection.execute(
                text(f'CREATE DATABASE "{url.database}" TEMPLATE "{filled.database}" STRATEGY FILE_COPY')
            )
        admin.dispose()
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        today = _begin(engine, given, renewals=renewals, night_seconds=night_seconds)
        with engine.connect() as connection:
            town = _read(connection, today)
        engine.dispose()
        return town
    finally:
        stop_engines(folder)


def fall(engine: Engine) -> None:
    """Let the night begin: what was to be charged in the next one is charged in this, each at its moment."""
    earlier = "(SELECT min(due_at) FROM invoices WHERE status = 'open')"
    with engine.connect() as connection:
        connection.execute(
            text(f"UPDATE invoices SET charge_at = now() + (due_at - {earlier}) WHERE status = 'open'"),
        )


def token(person: int) -> str:
    return f"cs_{person:043d}"


def _version() -> str:
    """Name what the filled database depends on."""
    return digest(f"{newest_revision()}{FILLED}{TOWN.read_text()}{_texts(1)}").hex()[:12]


def _fill(admin: Connection, url: URL, environ: Mapping[str, str]) -> None:
    print(f"  filling {FILLED['circles']} circles of {FILLED['people']:,} people ...", flush=True)
    building = url.set(database=f"{url.database}_half")
    admin.execute(text(f'DROP DATABASE IF EXISTS "{building.database}"'))
    admin.execute(text(f'CREATE DATABASE "{building.database}"'))
    given = {**os.environ, **environ, "DATABASE_URL": building.render_as_string(hide_password=False)}
    migrate(given["DATABASE_URL"])
    engine = create_engine(building, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE bench_texts (n int PRIMARY KEY, body text NOT NULL)"))
        connection.execute(
            text(
                "INSERT INTO bench_texts SELECT n - 1, body FROM unnest(CAST(:b AS text[])) WITH ORDINALITY t (body, n)"
            ),
            {"b": _texts(FILLED["texts"])},
        )
        with without_foreign_keys(connection):
            _run(connection, TOWN, FILLED)
        connection.execute(text("VACUUM ANALYZE"))
        reindex = [sys.executable, "-c", "from circle.cli import main; main()", "search", "reindex", "--anew"]
        subprocess.run(reindex, cwd=ROOT, env=given, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
        words = [sys.executable, "-c", "from circle.cli import main; main()", "search", "work"]
        subprocess.run(words, cwd=ROOT, env=given, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    admin.execute(text(f'ALTER DATABASE "{building.database}" RENAME TO "{url.database}"'))


def _begin(engine: Engine, environ: Mapping[str, str], *, renewals: int, night_seconds: float) -> date:
    zone = _where_it_is_morning(datetime.now(UTC))
    today = datetime.now(ZoneInfo(zone)).date()
    given = {"people": FILLED["people"], "camps": CAMPS, "zone": zone, "today": today}
    given |= {"renewals": renewals, "night": datetime.now(UTC) + _TOMORROW, "length": timedelta(seconds=night_seconds)}
    with engine.connect() as connection:
        with without_foreign_keys(connection):
            _run(connection, DAWN, given)
        connection.execute(text("VACUUM ANALYZE"))
        _announce(environ)
        # As if they had been told a week ago, and the mail of then had left. `fall` has them charged.
        connection.execute(
            text("UPDATE invoices SET noticed_at = noticed_at - interval '8 days' WHERE status = 'open'")
        )
        connection.execute(text("DELETE FROM outbox"))
    return today


def _announce(environ: Mapping[str, str]) -> None:
    """Open the renewals of the night."""
    app = create_app(Settings.from_env(environ), doorbell=SilentDoorbell())
    bill = jobs.load_job("billing.bill")
    with app.app_context():
        while bill.run(app.extensions["circle"].units):
            pass
        close_connections()


def _where_it_is_morning(now: datetime) -> str:
    """Name a zone (its sign is the other way round there) whose day lasts longer than any run."""
    ahead = (_DAYBREAK - now.hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}"


def _read(connection: Connection, today: date) -> Town:
    members = connection.execute(text("SELECT person, circle, rank FROM bench_members WHERE place > 0")).all()
    undone = connection.execute(text("SELECT right(user_id::text, 12), camp_id::text FROM camp_members")).all()
    check_ins = [(int(person, 16), camp) for person, camp in undone]
    random.shuffle(check_ins)
    return Town([(person, circle, rank) for person, circle, rank in members], check_ins, _queries(), f"{today:%Y-%m}")


def _run(connection: Connection, script: Path, given: Mapping[str, Any]) -> None:
    for statement in script.read_text(encoding="utf-8").split(";\n"):
        connection.execute(text(statement), {name: one for name, one in given.items() if f":{name}" in statement})


def _vocabulary() -> tuple[random.Random, list[str], list[float]]:
    drawn = random.Random(1)
    words = ["".join(map(chr, drawn.choices(_CHARACTERS, k=drawn.choice((1, 2, 2, 2, 3))))) for _ in range(_WORDS)]
    return drawn, words, list(accumulate(1 / (rank + 2) for rank in range(_WORDS)))


def _texts(count: int) -> list[str]:
    drawn, words, weights = _vocabulary()
    texts = []
    for _ in range(count):
        said = drawn.choices(words, cum_weights=weights, k=_A_TEXT)
        texts.append("".join("".join(said[at : at + _A_SENTENCE]) + "。" for at in range(0, _A_TEXT, _A_SENTENCE)))
    return texts


def _queries() -> list[str]:
    """Words of two and three characters, and pairs of words, as often as they are said; the commonest left out."""
    drawn, words, weights = _vocabulary()
    rest = weights[_COMMON:]
    said = drawn.choices(words[_COMMON:], cum_weights=rest, k=2 * _QUERIES)
    return [one if len(one) > 1 else one + other for one, other in zip(said[::2], said[1::2], strict=True)]
