"""Search in a circle of 20,000 of 200,000 posts and over all circles, against the bare SQL in the same server.

The texts are made of sentences of the real archive (JavaGuide), drawn at random. Also: recall against a substring scan,
size and build time of the index, and how soon a new post is found. `--small` takes 20,000 posts in circles of 2,000.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import quote
from zipfile import ZipFile

from sqlalchemy import Engine, text

from bench.installation import ROOT, TOKEN, circle_id, fill_circles, installation, serving, working
from bench.load import Request, measure
from bench.report import compare, heading

CIRCLES = 10
WANTED = 200  # characters of a post
_SENTENCE = re.compile(r"[^。！？\n]{6,80}[。！？]")
_BATCH = 5_000
# Common and rare, Chinese and Latin, one term and several.
COMMON = ("我们", "可以", "使用", "Java", "线程", "数据", "如果", "实现", "Redis 缓存", "什么")
_QUERIES = 200
_RECALL = 100
_LOOK_EVERY_SECONDS = 0.02
_BEYOND = "00000008-0000-7000-8000-000000000000"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4.0)
    arguments.add_argument(
        "--archive", type=Path, required=True, help="a ZIP of Markdown, whose sentences are recombined"
    )
    chosen = arguments.parse_args()
    each = 2_000 if chosen.small else 20_000
    with installation(f"search_{CIRCLES * each}") as (engine, environment):
        _fill(engine, environment, chosen.archive, each)
        heading(f"Search over {CIRCLES * each:,} posts of {WANTED} characters, {CIRCLES} circles of {each:,}")
        _sizes(engine, CIRCLES * each)
        queries = [*COMMON, *_drawn(engine, _QUERIES)]
        with serving(environment) as base:
            _measure(base, queries, chosen.rounds, chosen.seconds)
            _recall(engine, base)
            with working(environment):
                _latency(base)


def _fill(engine: Engine, environment: dict[str, str], archive: Path, each: int) -> None:
    fill_circles(engine, circles=CIRCLES, posts_each=each)
    with engine.connect() as connection:
        # What the filling has beyond the 20,000 of each circle, and what the last run has posted.
        for table, column in (("search_documents", "post_id"), ("posts", "id")):
            connection.execute(text(f"DELETE FROM {table} WHERE {column} >= '{_BEYOND}'"))
        if not connection.scalar(text("SELECT EXISTS (SELECT 1 FROM posts WHERE body LIKE '把一件小事讲清楚%')")):
            return
        print("  writing texts ...", flush=True)
        drawn = random.Random(1)
        sentences = list(_sentences(archive))
        ids = connection.execute(text("SELECT id FROM posts ORDER BY id")).scalars().all()
        write = text(
            "UPDATE posts SET title = given.title, body = given.body FROM unnest(CAST(:ids AS uuid[]),"
            " CAST(:titles AS text[]), CAST(:bodies AS text[])) AS given (id, title, body) WHERE posts.id = given.id"
        )
        for at in range(0, len(ids), _BATCH):
            part = ids[at : at + _BATCH]
            bodies = [_body(drawn, sentences) for _ in part]
            titles = [drawn.choice(sentences)[:20] for _ in part]
            connection.execute(write, {"ids": part, "titles": titles, "bodies": bodies})
        connection.execute(text("VACUUM ANALYZE posts"))
    command = [sys.executable, "-c", "from circle.cli import main; main()", "search", "reindex", "--anew"]
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    print(f"  reindex: {done.stdout.strip()}")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE search_documents"))


def _sentences(archive: Path) -> Iterator[str]:
    with ZipFile(archive) as packed:
        for name in packed.namelist():
            if name.endswith(".md"):
                yield from _SENTENCE.findall(packed.read(name).decode("utf-8", "replace"))


def _body(drawn: random.Random, sentences: list[str]) -> str:
    body = ""
    while len(body) < WANTED:
        body += drawn.choice(sentences)
    return body


def _sizes(engine: Engine, posts: int) -> None:
    sizes = "SELECT pg_relation_size('ix_search_documents_terms'), pg_total_relation_size('search_documents')"
    with engine.connect() as connection:
        index, whole = connection.execute(text(sizes)).one()
    print(f"  index {index / 2**20:,.0f} MiB, all of it {whole / 2**20:,.0f} MiB, {whole / posts:,.0f} bytes a post")


def _drawn(engine: Engine, count: int) -> list[str]:
    """Two to four neighbouring characters out of random posts of the first circle."""
    drawn = random.Random(2)
    with engine.connect() as connection:
        bodies = connection.execute(
            text("SELECT body FROM posts WHERE circle_id = :circle ORDER BY id LIMIT :count"),
            {"circle": circle_id(1), "count": count * 3},
        ).scalars()
        cut = [(body, drawn.randrange(len(body) - 4), drawn.choice((2, 2, 3, 4))) for body in bodies]
    found = [body[at : at + size] for body, at, size in cut]
    return [one for one in found if one.isalnum()][:count]


def _measure(base: str, queries: list[str], rounds: int, seconds: float) -> None:
    for connections in (1, 16):
        run = partial(measure, base, seconds=seconds, connections=connections)
        words = [quote(one) for one in queries]
        here = circle_id(1)
        print(f"  {connections} client{'s' if connections > 1 else ''}")
        paths = {
            "bare SQL, circle": [Request.to(f"{base}/raw/search/{here}?q={q}") for q in words],
            "search, circle, relevance": [
                Request.to(f"{base}/v1/search?q={q}&circle_id={here}", token=TOKEN) for q in words
            ],
            "search, circle, newest": [
                Request.to(f"{base}/v1/search?q={q}&circle_id={here}&sort=newest", token=TOKEN) for q in words
            ],
            "search, all circles": [Request.to(f"{base}/v1/search?q={q}", token=TOKEN) for q in words],
            "search, all circles, common words": [
                Request.to(f"{base}/v1/search?q={quote(q)}", token=TOKEN) for q in COMMON
            ],
        }
        compare(
            {name: partial(run, asked) for name, asked in paths.items()}, reference="bare SQL, circle", rounds=rounds
        )


def _recall(engine: Engine, base: str) -> None:
    """Compare what is found, page by page, with a scan of what the reader may see: all of tier 1."""
    open_posts = (
        "SELECT posts.id FROM posts LEFT JOIN tiers ON tiers.id = posts.access_tier_id WHERE posts.circle_id = :circle"
        " AND coalesce(tiers.rank, 0) <= 1 AND (position(:two in title) > 0 OR position(:two in body) > 0)"
    )
    standing = found = 0
    for two in {one[:2] for one in _drawn(engine, _RECALL)}:
        with engine.connect() as connection:
            held = connection.execute(text(open_posts), {"circle": circle_id(1), "two": two}).scalars().all()
        holding = {str(one) for one in held}
        standing += len(holding)
        found += len(holding & _found(base, two))
    print(f"  recall of 2-character strings {found / standing:.4f}: {found:,} of {standing:,}")


def _found(base: str, query: str) -> set[str]:
    found: set[str] = set()
    cursor = ""
    while True:
        url = f"{base}/v1/search?q={quote(query)}&circle_id={circle_id(1)}&sort=newest&limit=100{cursor}"
        page = json.load(_ask(url))
        found |= {hit["id"] for hit in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def _latency(base: str) -> None:
    """How long after the answer to a new post a search finds it: in peace, and while others post all the time."""
    _waits(base, 1)  # the workers have started
    print(f"  a new post is found after {_waits(base, 20)}")
    body = json.dumps({"kind": "talk", "body": "一句话。"}).encode()
    posting = [Request.to(f"{base}/v1/circles/{circle_id(2)}/posts", token=TOKEN, method="POST", body=body)]
    with ThreadPoolExecutor(1) as beside:
        load = beside.submit(measure, base, posting, connections=4, seconds=20.0)
        waits = _waits(base, 20)
        print(f"  beside {load.result().rate:,.0f} posts a second after {waits}")


def _waits(base: str, times: int) -> str:
    waited = []
    for n in range(times):
        word = f"琥珀{chr(0x4E00 + n * 7)}{int(time.time() * 1000) % 100_000}"
        body = json.dumps({"kind": "talk", "body": word}).encode()
        _ask(f"{base}/v1/circles/{circle_id(1)}/posts", body)
        began = time.perf_counter()
        while not json.load(_ask(f"{base}/v1/search?q={quote(word)}&circle_id={circle_id(1)}"))["items"]:
            time.sleep(_LOOK_EVERY_SECONDS)
        waited.append(time.perf_counter() - began)
    return f"{sorted(waited)[times // 2] * 1000:.0f} ms, at most {max(waited) * 1000:.0f} ms"


def _ask(url: str, body: bytes | None = None) -> object:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return urllib.request.urlopen(urllib.request.Request(url, body, headers))  # noqa: S310 - loopback


if __name__ == "__main__":
    main()
