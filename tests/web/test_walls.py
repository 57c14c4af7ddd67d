"""What no request and no job gets past: the size of a body, of a page, and the time of a statement."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from circle.app import ROUTES
from circle.config import SettingError, Settings
from circle.kernel.cursor import MAX_LIMIT
from circle.web.connections import db
from circle.web.fields import List
from circle.web.http import MAX_BODY
from circle.web.routes import Operation

OPERATIONS = [operation for routes in ROUTES for operation in routes.operations]
READS_A_LIST = [
    one for one in OPERATIONS if one.method == "GET" and one.answer and "items" in one.answer._declared_fields
]
# Lists that come whole, and what keeps them short.
WHOLE = {
    "/me/sessions": "100 are read",
    "/me/tokens": "100 are read",
    "/me/payment-methods": "100 are read",
    "/me/certificates": "100 are read",
    "/me/bookmark-folders": "MAX_FOLDERS",
    "/circles/<uuid:circle_id>/tiers": "MOST_TIERS",
    "/circles/<uuid:circle_id>/pins": "MAX_PINS",
    "/circles/<uuid:circle_id>/start-here": "MAX_START_HERE",
    "/assignments/<uuid:assignment_id>/peer-tasks": "as many as the assignment asks of each",
    "/check-ins/<uuid:check_in_id>/versions": "MOST_VERSIONS",
    "/columns/<uuid:column_id>": "its first page; the rest by /items",
}
# Whose items are a name and a count.
SMALL_ITEMS = {"/circles/<uuid:circle_id>/tags"}
# What fills the pages and inboxes of others.
SPEAKING = {
    "write_post",
    "edit_post",
    "post_comment",
    "edit_comment",
    "answer_question",
    "edit_answer",
    "react",
    "unreact",
    "report_post",
    "report_comment",
    "comment_check_in",
    "like_check_in",
    "unlike_check_in",
    "hand_in",
}
# They read nothing of what is sent.
NO_BODY = {"/v1/test/drain"}


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize("operation", READS_A_LIST, ids=named)
def test_a_page_has_a_most(operation: Operation) -> None:
    if operation.path in WHOLE:
        return
    assert operation.query is not None
    most = 500 if operation.path in SMALL_ITEMS else MAX_LIMIT
    assert "limit" in operation.query().validate({"limit": str(most + 1)})


def test_lists_that_come_whole_are_known() -> None:
    assert set(WHOLE) <= {operation.path for operation in READS_A_LIST}


def test_nobody_speaks_without_end() -> None:
    limited = {one.name for one in OPERATIONS if any(limit.per == "user" for limit in one.limits)}

    assert SPEAKING - limited == set()


def test_what_is_sent_in_a_list_has_a_most() -> None:
    bodies = {operation.body for operation in OPERATIONS if operation.body}
    lists = [(body.__name__, name) for body in bodies for name, field in fields_of(body) if not field.validate]

    assert lists == []


def fields_of(body: Any) -> list[tuple[str, Any]]:
    return [(name, field) for name, field in body._declared_fields.items() if isinstance(field, List)]


def test_no_route_takes_a_larger_body(app: Flask) -> None:
    client = app.test_client()
    reading = {(one.method, f"/v1{one.path}") for one in OPERATIONS if one.body}
    taken = []
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            if rule.rule in NO_BODY:
                continue
            sent = {"CONTENT_LENGTH": str(MAX_BODY + 1), "CONTENT_TYPE": "application/json"}
            status = client.open(filled(rule), method=method, data=b"{}", environ_overrides=sent).status_code
            # Forms of pages are refused before they are read, for want of their token.
            if status != 413 and ((method, rule.rule) in reading or status not in {401, 403, 404}):
                taken.append((method, rule.rule, status))

    assert reading
    assert taken == []


def filled(rule: Any) -> str:
    """A path of the route; nobody looks whether there is such a thing."""
    names = {"uuid": "00000000-0000-7000-8000-000000000000"}
    return "".join(part if kind is None else names.get(kind, "1") for kind, part in parts_of(rule))


def parts_of(rule: Any) -> list[tuple[str | None, str]]:
    return [
        (None if not is_dynamic else type(rule._converters[part]).__name__.removesuffix("Converter").lower(), part)
        for is_dynamic, part in rule._trace
        if part != "|"
    ]


def test_every_connection_has_a_time_limit_for_statements(app_with: Callable[..., Flask], settings: Settings) -> None:
    for wanted, shown in ((settings, "10s"), (settings.for_workers(), "1min")):
        with app_with(statement_timeout_ms=wanted.statement_timeout_ms).app_context():
            for engine in db.engines.values():
                with engine.connect() as connection:
                    assert connection.scalar(text("SHOW statement_timeout")) == shown


def test_a_time_limit_is_never_none() -> None:
    limits = [one.name for one in fields(Settings) if one.name.endswith("timeout_ms")]
    assert set(limits) == {"statement_timeout_ms", "worker_statement_timeout_ms", "search_timeout_ms"}

    for name in limits:
        with pytest.raises(SettingError, match=name.upper()):
            Settings.from_env({"DATABASE_URL": "postgresql+psycopg://x/x", **_NEEDED, name.upper(): "0"})


_NEEDED = {
    "REDIS_URL": "redis://x",
    "S3_ENDPOINT": "http://x",
    "S3_ACCESS_KEY": "x",
    "S3_SECRET_KEY": "x",
    "SECRET_KEY": "x" * 40,
}
