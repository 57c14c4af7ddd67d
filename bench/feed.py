"""Feed, post page and posting for a gated member, against raw psycopg in the same server; page 1,000 against page 1.

1 M posts in 1,000 circles. `--small` fills 20,000 for a quick look; `--rounds` and `--seconds` set the patience.
"""

import argparse
import json
import random
import urllib.request
from functools import partial

from bench.installation import TOKEN, circle_id, fill_circles, installation, post_id, serving
from bench.load import Request, measure
from bench.report import compare, heading

DEEP_PAGE = 1000
PAGE = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4.0)
    chosen = arguments.parse_args()
    circles, posts = (20, 1000) if chosen.small else (1000, 1000)
    with installation(f"feed_{circles}") as (engine, environment):
        fill_circles(engine, circles=circles, posts_each=posts)
        with serving(environment) as base:
            heading(f"Feed of 20 gated posts, {circles * posts:,} posts in {circles:,} circles")
            run = partial(measure, base, seconds=chosen.seconds)
            some = random.sample(range(1, circles + 1), min(200, circles))
            _reads(base, run, some, posts, chosen.rounds)
            _writes(base, run, some, chosen.rounds)
            _pages(base, run, chosen.rounds)


def _reads(base: str, run: partial, some: list[int], posts: int, rounds: int) -> None:
    feeds = {
        "no-op (Flask, no database)": [Request.to(f"{base}/raw/nothing")],
        "raw": [Request.to(f"{base}/raw/feed/{circle_id(n)}") for n in some],
        "feed, authenticated and gated": [
            Request.to(f"{base}/v1/circles/{circle_id(n)}/posts", token=TOKEN) for n in some
        ],
    }
    compare({name: partial(run, requests) for name, requests in feeds.items()}, reference="raw", rounds=rounds)
    # A third of the posts is locked for the reader: those cost the same.
    targets = [(n, random.randint(1, posts)) for n in some]
    pages = {
        "raw post": [Request.to(f"{base}/raw/posts/{circle_id(n)}/{post_id(n, p, posts)}") for n, p in targets],
        "post, authenticated and gated": [
            Request.to(f"{base}/v1/posts/{post_id(n, p, posts)}", token=TOKEN) for n, p in targets
        ],
    }
    compare({name: partial(run, requests) for name, requests in pages.items()}, reference="raw post", rounds=rounds)


def _writes(base: str, run: partial, some: list[int], rounds: int) -> None:
    body = json.dumps({"kind": "talk", "body": "一句话。"}, ensure_ascii=False).encode()
    writes = {
        "raw INSERT": [Request.to(f"{base}/raw/posts/{circle_id(n)}", method="POST") for n in some],
        "posting": [
            Request.to(f"{base}/v1/circles/{circle_id(n)}/posts", token=TOKEN, method="POST", body=body) for n in some
        ],
    }
    compare({name: partial(run, requests) for name, requests in writes.items()}, reference="raw INSERT", rounds=rounds)


def _pages(base: str, run: partial, rounds: int) -> None:
    """Walk a feed of one busy circle and compare its far end with its beginning."""
    url = f"{base}/v1/circles/{circle_id(1)}/posts"
    cursor, page = None, 1
    while page < DEEP_PAGE:
        answer = json.load(_get(f"{url}?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")))
        if answer["next_cursor"] is None:
            break
        cursor, page = answer["next_cursor"], page + 1
    paths = {
        "page 1": [Request.to(f"{url}?limit={PAGE}", token=TOKEN)],
        f"page {page}": [Request.to(f"{url}?limit={PAGE}&cursor={cursor}", token=TOKEN)],
    }
    compare({name: partial(run, requests) for name, requests in paths.items()}, reference="page 1", rounds=rounds)


def _get(url: str) -> object:
    return urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"}))  # noqa: S310


if __name__ == "__main__":
    main()
