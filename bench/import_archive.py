"""Importing an archive of Markdown: files a second and peak memory of `circle import markdown`, against bare INSERTs.

PATH is a folder or ZIP; without it, 2,000 articles of 8,000 characters that link to each other are made up. The first
import creates every post, the second changes nothing.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import psutil
import psycopg
from sqlalchemy import Engine, make_url, text

from bench.installation import installation
from bench.report import heading
from circle.archive.importing.sources import open_source

MADE_UP = 2_000
BATCH = 50
_LOOK_EVERY_SECONDS = 0.02


class Run(NamedTuple):
    seconds: float
    peak_mb: float
    summary: str


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("path", nargs="?", type=Path)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="circle-bench-") as folder, installation("import") as (engine, environment):
        path = chosen.path or _made_up(Path(folder))
        slug = f"import-{secrets.token_hex(4)}"
        _open_circle(engine, slug)
        reference, files = _bare_inserts(engine, path)
        heading(f"Import of {files:,} files")
        print(f"  {'bare INSERTs':<24} {files / reference:>9,.0f} files/s")
        for name in ("first import", "the same again"):
            run = _import(path, slug, environment)
            ratio = reference / run.seconds
            print(
                f"  {name:<24} {files / run.seconds:>9,.0f} files/s {ratio:>6.2f} of bare"
                f" {run.seconds:>7.1f} s {run.peak_mb:>6.0f} MB peak   {run.summary}"
            )


def _import(path: Path, slug: str, environment: dict[str, str]) -> Run:
    """Run the command as a creator would, its start included."""
    program = "from circle.cli import main; main()"
    command = [sys.executable, "-c", program, "import", "markdown", str(path), "--circle", slug]
    began = time.perf_counter()
    peak = 0
    with tempfile.TemporaryFile("w+") as said:
        process = psutil.Popen(command, env={**os.environ, **environment}, stdout=said, stderr=subprocess.DEVNULL)
        # The kernel's own peak would count this process too, from which the command was forked.
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, process.memory_info().rss)
            time.sleep(_LOOK_EVERY_SECONDS)
        seconds = time.perf_counter() - began
        said.seek(0)
        return Run(seconds, peak / 1_000_000, said.read().strip() or f"exit code {process.returncode}")


def _bare_inserts(engine: Engine, path: Path) -> tuple[float, int]:
    """Read the same files and write their bytes into a table of one index, a transaction a batch."""
    url = make_url(engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection, open_source(path) as source:
        connection.execute("DROP TABLE IF EXISTS bench_files")
        connection.execute("CREATE TABLE bench_files (path text PRIMARY KEY, body bytea)")
        connection.commit()
        began = time.perf_counter()
        for at in range(0, len(source.paths), BATCH):
            rows = [(one, source.read(one)) for one in source.paths[at : at + BATCH]]
            connection.cursor().executemany("INSERT INTO bench_files VALUES (%s, %s)", rows)
            connection.commit()
        return time.perf_counter() - began, len(source.paths)


def _open_circle(engine: Engine, slug: str) -> None:
    with engine.connect() as connection:
        connection.execute(
            text(
                "WITH somebody AS (INSERT INTO users (id, display_name, bio, language, timezone, is_operator,"
                " created_at, version) VALUES (gen_random_uuid(), 'Bench', '', 'en', 'UTC', false, now(), 1)"
                " RETURNING id),"
                " made AS (INSERT INTO circles (id, slug, owner_id, name, description, category, timezone, currency,"
                " rules, join_policy, questionnaire, preview_policy, after_expiry, silence_hours, anonymous_questions,"
                " content_protection, created_at, version) SELECT gen_random_uuid(), :slug, id, 'Bench', '', '', 'UTC',"
                " 'CNY', '', 'open', '{}', 'public', 'paid_term', 0, false, '{}', now(), 1 FROM somebody"
                " RETURNING id, owner_id)"
                " INSERT INTO memberships (id, circle_id, user_id, role, status, alias, note, answers, created_at,"
                " version) SELECT gen_random_uuid(), id, owner_id, 'owner', 'active', '', '', '{}', now(), 1 FROM made"
            ),
            {"slug": slug},
        )


def _made_up(folder: Path) -> Path:
    archive = folder / "articles.zip"
    sentence = "写作从一百字开始，每天一点，日积月累。"
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        for n in range(MADE_UP):
            links = "".join(f"[第{other}篇](./{other}.md)\n" for other in range(n % 20 * 100, n % 20 * 100 + 5))
            head = f"---\ntitle: 第{n}篇\ncategory: 写作\ntag:\n  - 标签{n % 50}\n---\n\n"
            packed.writestr(f"{n % 20}/{n % 5}/{n}.md", head + links + (sentence * 450)[:8_000])
    return archive


if __name__ == "__main__":
    main()
