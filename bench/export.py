"""A member's export: texts a second and peak memory of the worker that builds it, against bare reading of them all.

50,000 posts that the member may read, of 75,000; `--small` takes 2,000 of 3,000. The least memory is that of a worker
that has nothing to do.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from typing import NamedTuple

import psutil
import psycopg
from sqlalchemy import Engine, make_url, text

from bench.installation import circle_id, fill_circles, installation
from bench.report import heading

_LOOK_EVERY_SECONDS = 0.02
_POSTS, _FEW_POSTS = 75_000, 3_000
# The first circle of the filling is longer than the others.
_CIRCLE = 2
_MEMBER = "00000001-0000-7000-8000-000000000000"
_WORK = """
import time
from circle.app import create_app
from circle.config import Settings
from circle.jobs import load_job
from circle.media.storage import Storage
from circle.web.system import system
app = create_app(Settings.from_env())
with app.app_context():
    job, units = load_job("exports.build"), system().units
    units.use(Storage).ensure_bucket()
    began = time.perf_counter()
    job.run(units)
    print(time.perf_counter() - began)
"""


class Run(NamedTuple):
    seconds: float
    # The most in each half of the process's life: where they are alike, memory does not grow with the archive.
    first_mb: float
    second_mb: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true")
    posts = _FEW_POSTS if arguments.parse_args().small else _POSTS
    with installation(f"export_{posts}") as (engine, environment):
        fill_circles(engine, circles=_CIRCLE, posts_each=posts)
        reference, texts = _bare_reading(engine)
        idle = _work(environment)
        heading(f"Export of {texts:,} posts of one member")
        print(f"  {'bare reading':<10} {texts / reference:>9,.0f} texts/s")
        print(f"  {'idle worker':<10} {'':>9} {'':>34} {idle.second_mb:>6.0f} MB")
        for form in ("markdown", "epub"):
            _ask(engine, form)
            run = _work(environment)
            size = _size(engine)
            seconds = run.seconds
            print(
                f"  {form:<10} {texts / seconds:>9,.0f} texts/s {reference / seconds:>6.2f} of bare {seconds:>7.1f} s"
                f" {run.first_mb:>6.0f} MB, then {run.second_mb:.0f} MB at the most {size / 1_000_000:>8.1f} MB file"
            )


def _bare_reading(engine: Engine) -> tuple[float, int]:
    """Read what the member may read, row by row in a cursor of the server; return seconds and rows."""
    url = make_url(engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
    began, rows = time.perf_counter(), 0
    with psycopg.connect(url) as connection, connection.cursor("reading") as cursor:
        cursor.execute(
            "SELECT p.* FROM posts p LEFT JOIN tiers t ON t.id = p.access_tier_id WHERE p.circle_id = %s"
            " AND coalesce(t.rank, 0) <= 1 ORDER BY p.published_at, p.id",
            [circle_id(_CIRCLE)],
        )
        for _row in cursor:
            rows += 1
    return time.perf_counter() - began, rows


def _ask(engine: Engine, form: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM exports"))
        connection.execute(
            text(
                "INSERT INTO exports (id, circle_id, requested_by, scope, format, status, done, attempts, leased_until,"
                " created_at) VALUES (gen_random_uuid(), :circle, :member, 'mine', :form, 'queued', 0, 0, now(), now())"
            ),
            {"circle": circle_id(_CIRCLE), "member": _MEMBER, "form": form},
        )


def _size(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT size FROM exports WHERE status = 'ready'")) or 0)


def _work(environment: dict[str, str]) -> Run:
    """Run one job in a process of its own; its start is not counted."""
    seen: list[int] = []
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaints:
        process = psutil.Popen(
            [sys.executable, "-c", _WORK], env={**os.environ, **environment}, stdout=said, stderr=complaints
        )
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                seen.append(process.memory_info().rss)
            time.sleep(_LOOK_EVERY_SECONDS)
        said.seek(0)
        complaints.seek(0)
        if process.returncode:
            sys.exit(f"the worker ended with {process.returncode}: {complaints.read().decode()[-2_000:]}")
        first, second = (max(some, default=0) / 1_000_000 for some in (seen[: len(seen) // 2], seen[len(seen) // 2 :]))
        return Run(float(said.read().split()[-1]), first, second)


if __name__ == "__main__":
    main()
