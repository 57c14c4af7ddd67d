"""Looks at everything that the system puts out, for words that are not meant for the reader."""

import gc
import io
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import structlog
from redis import Redis
from sqlalchemy import Boolean, literal
from structlog._config import BoundLoggerLazyProxy

from circle.kernel.db import Base, Query
from circle.web.log import configure_logging
from tests.access.requests import request_of
from tests.access.rows import read_matrix
from tests.access.scene import Scene, leaks
from tests.access.secrets import Secret

T = TypeVar("T")

# Beyond what the rows of the matrix ask: filters, orders, and words of the paid post's title.
_MORE = (
    "/v1/circles/{circle_id}/posts?kind=article",
    "/v1/circles/{circle_id}/posts?tag=写作",
    "/v1/circles/{circle_id}/posts?digest=true",
    "/v1/circles/{circle_id}/posts?limit=1",
    "/v1/circles/{circle_id}/posts?status=review",
    "/v1/circles/{circle_id}/posts?status=hidden",
    "/v1/circles/{circle_id}/changes?limit=100",
    "/v1/circles/{circle_id}/questions?status=answered",
    "/v1/search?q=机密&sort=newest&limit=100",
    "/v1/search?q=机密&circle_id={circle_id}&limit=100",
    "/v1/search?q=机密&circle_id={circle_id}&digest=false&unread=false&limit=100",
    "/v1/search?q=密&circle_id={circle_id}&limit=100",
    "/v1/me/notifications?limit=100",
    "/v1/me/circles?status=removed",
)
_PAGES = ("/", "/docs", "/docs/problems", "/v1/openapi.json", "/healthz", "/metrics", "/account")


# Where it is asked, under this name, whether a post is unlocked.
_UNLOCKING = (
    "posts.cards",
    "posts.policy",
    "posts.discussion_queries",
    "archive.search.statements",
    "archive.shelf_queries",
    "archive.resurfacing_queries",
    "archive.reading_queries",
)


@dataclass(frozen=True)
class Finding:
    """A secret where it should not be."""

    who: str
    where: str
    what: str


def crawl(scene: Scene, role: str, secrets: Collection[Secret]) -> list[Finding]:
    """Every reading route before every target, and what `browse` looks at."""
    found = browse(scene, role, secrets)
    for row in read_matrix().values():
        if row.method == "GET":
            sent = request_of(scene, row, role)
            reply = scene.ask(role, sent.method, sent.path, **sent.arguments)
            found += [Finding(role, row.key, what) for what in leaks(reply, secrets)]
    return found


def browse(scene: Scene, role: str, secrets: Collection[Secret]) -> list[Finding]:
    """Lists by further filters, and the pages for everybody."""
    found = []
    things = {name: str(value) for name, value in scene.things(None).items()}
    for pattern in (*_MORE, *_PAGES):
        reply = scene.ask(role, "GET", pattern.format_map(things))
        found += [Finding(role, pattern, what) for what in leaks(reply, secrets)]
    return found


def kept_in(scene: Scene, secrets: Collection[Secret]) -> dict[str, set[str]]:
    """Which columns of the database hold which secrets, as `table.column`."""
    held: dict[str, set[str]] = {}
    for table in Base.metadata.sorted_tables:
        for row in scene.rows(f'SELECT * FROM "{table.name}"'):  # noqa: S608 - names of our own tables
            for name, value in row.items():
                text = _text(value)
                hits = {secret.what for secret in secrets if secret.marker in text}
                if hits:
                    held.setdefault(f"{table.name}.{name}", set()).update(hits)
    return held


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", errors="replace")
    return str(value)


def in_redis(redis: "Redis", secrets: Collection[Secret]) -> list[str]:
    """Keys of Redis that hold a secret, in name or value."""
    read: Mapping[bytes, Callable[[bytes], Any]] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }
    found = []
    for key in redis.scan_iter(count=1000):
        kind: Any = redis.type(key)
        text = repr(key) + repr(read[kind](key) if kind in read else "")
        found += [str(key) for secret in secrets if secret.marker in text]
    return found


@contextmanager
def logged(level: str) -> Iterator[io.StringIO]:
    """Collect every line that is logged at `debug` and above; afterwards loggers are as they were, at `level`."""
    lines = io.StringIO()
    _set_logging("debug")
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(lines)
    try:
        yield lines
    finally:
        _set_logging(level)


def _set_logging(level: str) -> None:
    configure_logging(level)
    structlog.contextvars.clear_contextvars()
    for logger in _all_of(BoundLoggerLazyProxy):
        logger.__dict__.pop("bind", None)  # what it remembers of the level before


@contextmanager
def leaky_posts() -> Iterator[None]:
    """The mutant: posts are unlocked for everybody."""
    with pytest.MonkeyPatch.context() as patch:
        for module in _UNLOCKING:
            patch.setattr(f"circle.{module}.unlocked", lambda *_rank: literal(value=True, type_=Boolean()))
        _compile_anew()
        yield
    _compile_anew()


def _compile_anew() -> None:
    for query in _all_of(Query):
        query.__dict__.pop("_compiled", None)


def _all_of(kind: type[T]) -> list[T]:
    """Return what there is of a class in this process; `isinstance` would have proxies look for what they stand for."""
    return [one for one in gc.get_objects() if issubclass(type(one), kind)]
