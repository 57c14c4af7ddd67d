"""The application, and beside it in the same processes the raw references: prepared psycopg, rows to dicts, orjson.

A raw view runs the same SQL as the product's, with the parameters of one reader, on an autocommit connection per
thread. No caller, no membership, no validation, no log: what is left is what the database and the driver cost.
"""

import threading
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson
import psycopg
from flask import Flask, Response, request
from psycopg.rows import dict_row
from sqlalchemy import make_url
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from circle.app import create_app
from circle.archive.search.asking import read_query
from circle.archive.search.finding import question
from circle.archive.search.folding import circle_key
from circle.archive.search.readers import READER_COLUMNS
from circle.archive.search.statements import RANKED, Shape, search_statement
from circle.config import Settings
from circle.kernel.db import Query
from circle.kernel.ids import new_id
from circle.posts import queries

settings = Settings.from_env()
application = create_app(settings)
raw = Flask("raw")
_local = threading.local()
_LAST = datetime(9999, 12, 31, tzinfo=UTC)

INSERT_POST = (
    "INSERT INTO posts (id, circle_id, author_id, kind, status, title, body, excerpt, access_level, anonymous, "
    "attachments, reaction_counts, comment_count, published_at, version, created_at) VALUES (%s, %s, %s, 'talk', "
    "'published', '', %s, '', 'members', false, '[]', '{}', 0, now(), 1, now()) RETURNING id, published_at"
)
INSERT_DAY = (
    "INSERT INTO check_in_days (camp_id, user_id, day, kind, late, recorded_at) "
    "VALUES (%s, %s, %s, 'done', false, now()) "
    "ON CONFLICT (camp_id, user_id, day) DO NOTHING RETURNING day"
)


def _connection() -> "psycopg.Connection[dict[str, Any]]":
    if not hasattr(_local, "connection"):
        address = make_url(settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        options = "-c timezone=UTC"
        _local.connection = psycopg.connect(address, autocommit=True, row_factory=dict_row, options=options)
    found: psycopg.Connection[dict[str, Any]] = _local.connection
    return found


@cache
def _sql(query: Query) -> bytes:
    return query.sql.encode()


def _rows(query: Query, params: dict[str, Any]) -> Response:
    cursor = psycopg.RawCursor(_connection(), row_factory=dict_row)
    rows = cursor.execute(_sql(query), query.arguments(params), prepare=True).fetchall()
    return Response(orjson.dumps(rows, option=orjson.OPT_UTC_Z), mimetype="application/json")


@cache
def _reading(circle_id: UUID) -> dict[str, Any]:
    """The parameters of the measured member, who has tier 1 of every circle."""
    n = circle_id.int & 0xFFFFFFFFFFFF
    return {
        "reader_id": UUID("00000001-0000-7000-8000-000000000000"),
        "reader_membership_id": UUID(f"00000005-0000-7000-8000-{n:012x}"),
        "reader_rank": 1,
        "reads_everything": False,
        "reads_since": datetime(1, 1, 1, tzinfo=UTC),
        "keeps_paid_term": True,
        "moderates": False,
        "knows_askers": False,
    }


@raw.get("/feed/<uuid:circle_id>")
def feed(circle_id: UUID) -> Response:
    start = {"published_at": _LAST, "id": UUID(int=2**128 - 1)}
    query = queries._feed(frozenset(), 21)  # noqa: SLF001 - the very SQL that is measured
    return _rows(query, {"circle_id": circle_id, **start, **_reading(circle_id)})


@raw.get("/posts/<uuid:circle_id>/<uuid:post_id>")
def post(circle_id: UUID, post_id: UUID) -> Response:
    return _rows(queries._POST, {"post_id": post_id, **_reading(circle_id)})  # noqa: SLF001


@cache
def _search(circle_id: UUID, query: str) -> tuple[Query, dict[str, Any]]:
    """The statement of a search by relevance, and its parameters: read and prepared once."""
    asked = read_query(query)
    shape = Shape(
        newest=False,
        filters=frozenset(),
        needles=bool(asked.needles),
        phrases=bool(asked.phrases),
        single=not asked.pairs,
        limit=21,
        ranked=RANKED,
    )
    reader = {
        **_reading(circle_id),
        "circle_id": circle_id,
        "circle_key": circle_key(circle_id),
        "teaches": False,
        "keeps_own_work": True,
        "joined_at": datetime(1, 1, 1, tzinfo=UTC),
    }
    start = {"score": 2**62, "shown_at": _LAST, "subject_id": UUID(int=2**128 - 1)}
    arrays = {f"of_{name}": [reader[name]] for name in READER_COLUMNS}
    return search_statement(shape), {"reader_id": reader["reader_id"], **start, **question(asked), **arrays}


@raw.get("/search/<uuid:circle_id>")
def search(circle_id: UUID) -> Response:
    return _rows(*_search(circle_id, request.args["q"]))


@raw.post("/posts/<uuid:circle_id>")
def insert(circle_id: UUID) -> Response:
    author = UUID("00000001-0000-7000-8000-000000000000")
    row = _connection().execute(INSERT_POST, (new_id(), circle_id, author, "一句话。"), prepare=True).fetchone()
    return Response(orjson.dumps(row), 201, mimetype="application/json")


@raw.post("/check-ins/<uuid:camp_id>/<uuid:user_id>/<day>")
def check_in(camp_id: UUID, user_id: UUID, day: str) -> Response:
    row = _connection().execute(INSERT_DAY, (camp_id, user_id, day), prepare=True).fetchone()
    return Response(orjson.dumps(row), 201, mimetype="application/json")


@raw.get("/nothing")
def nothing() -> Response:
    return Response(b"{}", mimetype="application/json")


application.wsgi_app = DispatcherMiddleware(application.wsgi_app, {"/raw": raw.wsgi_app})  # type: ignore[method-assign]
