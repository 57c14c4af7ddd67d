"""Input that must not get in: every field of every body, each with every kind of nonsense; nothing is written."""

from collections.abc import Iterator
from typing import Any

import pytest

from circle.kernel.money import MAX_AMOUNT
from tests.builders.circles import BuiltCircle
from tests.client import Reply, World

NUL, SURROGATE, BACKWARDS, WORD = "a\0b", "a\ud800b", "a\u202eb", "x" * 10_000

# What no text, number, id, instant, flag, list or object may be.
NONSENSE: dict[str, tuple[Any, ...]] = {
    "line": (None, 7, 1.9, True, [], {}, "", " \u3000\u200b", NUL, SURROGATE, BACKWARDS, "two\nlines", WORD),
    "lines": (None, 7, True, [], {}, NUL, SURROGATE, WORD),
    "count": (1.9, "1", True, [], {}, -1, 2**31, 2**63, -(2**63), 10**40),
    "money": (1.9, "1", True, [], {}, -1, MAX_AMOUNT + 1, 2**63, 10**40),
    "choice": (None, 7, [], {}, "", "root", NUL, SURROGATE, WORD),
    "flag": (None, 0, 1, "true", [], {}),
    "id": (7, [], {}, "", "x", NUL, "0" * 36, "../../etc/passwd", "01890a5dac96774bbcceb302099a8057"),
    "instant": (7, True, [], {}, "", "tomorrow", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "2026-03-01", NUL),
    "clock": (7, [], {}, "", "24:00", "noon", NUL, "22:00:00"),
    "texts": (None, 7, "one", {}, [7], [None], [""], [NUL], [SURROGATE], ["q"] * 11),
    "hints": (None, 7, [], "yes", {"no_copy": "yes"}, {"surprise": True}),
}
CIRCLE = {
    "name": "line",
    "slug": "line",
    "description": "lines",
    "category": "line?",
    "timezone": "line",
    "rules": "lines",
    "join_policy": "choice",
    "questionnaire": "texts",
    "preview_policy": "choice",
    "after_expiry": "choice",
    "lookback_days": "count",
    "quiet_from": "clock",
    "silence_hours": "count",
    "anonymous_questions": "flag",
    "question_price": "money",
    "content_protection": "hints",
}
PRICE = {
    "amount": "money",
    "currency": "choice",
    "interval": "choice",
    "interval_count": "count",
    "fixed_end_at": "instant",
    "trial_days": "count",
    "list_amount": "money",
    "renewal": "hints",
}
# Method, path, a valid body, kinds of its fields. The path is filled in with the ids of one circle.
BODIES: tuple[tuple[str, str, dict[str, Any], dict[str, str]], ...] = (
    ("POST", "/circles", {"name": "新圈"}, {**CIRCLE, "currency": "choice"}),
    ("PATCH", "{circle}", {}, {**CIRCLE, "cover_media_id": "id", "closed": "flag"}),
    (
        "POST",
        "{circle}/tiers",
        {"name": "新等级", "rank": 77},
        {"name": "line", "rank": "count", "description": "lines", "seats": "count"},
    ),
    ("PATCH", "/tiers/{tier}", {}, {"name": "line", "description": "lines", "seats": "count", "archived": "flag"}),
    ("POST", "/tiers/{tier}/prices", {"amount": 1, "currency": "CNY", "interval": "month"}, PRICE),
    (
        "POST",
        "{circle}/invitations",
        {},
        {
            "role": "choice",
            "tier_id": "id",
            "comp_days": "count",
            "note": "line?",
            "max_uses": "count",
            "expires_at": "instant",
        },
    ),
    (
        "PATCH",
        "{circle}/members/{member}",
        {},
        {"role": "choice", "alias": "line?", "note": "lines", "muted_until": "instant"},
    ),
    ("POST", "{circle}/members/{member}/remove", {}, {"refund": "flag"}),
    ("POST", "{circle}/members/{member}/ban", {}, {"refund": "flag"}),
    ("POST", "{circle}/transfer", {}, {"user_id": "id"}),
    ("PATCH", "{circle}/membership", {}, {"alias": "line?"}),
)
# What a client may wish to set and must not.
ASSIGNED = (
    "id", "owner_id", "version", "members_numbered", "circle_id", "tier_id", "seats_taken", "archived_at",
    "closed_at", "created_at", "uses", "code", "created_by", "number", "status", "joined_at", "approved_at",
    "is_operator", "__class__", "constructor", "$where",
)  # fmt: skip


def nonsense_for(kind: str) -> Iterator[Any]:
    """The values that a field of this kind refuses; `?` marks text that may be empty."""
    for value in NONSENSE[kind.rstrip("?")]:
        if kind.endswith("?") and isinstance(value, str) and not value.strip(" \u3000\u200b"):
            continue
        yield value


@pytest.fixture
def circle(world: World) -> BuiltCircle:
    return world.circle()


def send(world: World, circle: BuiltCircle, method: str, path: str, body: Any) -> Reply:
    if "member" not in circle.owner.extra:
        circle.owner.extra["member"] = world.member(circle).id
    where = path.format(circle=circle.path, tier=circle.tier(1).id, member=circle.owner.extra["member"])
    return circle.owner.api.request(method, where, json=body)


@pytest.mark.parametrize(("method", "path", "valid", "kinds"), BODIES, ids=[f"{m} {p}" for m, p, _, _ in BODIES])
def test_nonsense_is_refused_and_nothing_is_written(
    world: World, circle: BuiltCircle, sql: Any, method: str, path: str, valid: dict[str, Any], kinds: dict[str, str]
) -> None:
    send(world, circle, method, path, {"warm": "up"})
    before = sql("SELECT (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM changes) AS rows")

    for field, kind in kinds.items():
        for value in nonsense_for(kind):
            refused = send(world, circle, method, path, {**valid, field: value})
            assert refused.status in {400, 422}, (field, value, refused)
            assert refused.code, (field, value)

    assert sql("SELECT (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM changes) AS rows") == before


@pytest.mark.parametrize(("method", "path", "valid", "kinds"), BODIES, ids=[f"{m} {p}" for m, p, _, _ in BODIES])
def test_nothing_is_set_that_is_not_offered(
    world: World, circle: BuiltCircle, method: str, path: str, valid: dict[str, Any], kinds: dict[str, str]
) -> None:
    for field in ASSIGNED:
        if field not in kinds:
            refused = send(world, circle, method, path, {**valid, field: "x"})
            assert refused.fields.get(field) == "unknown_field", (field, refused)


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _, _ in BODIES])
def test_a_body_that_is_no_object_is_refused(world: World, circle: BuiltCircle, method: str, path: str) -> None:
    bodies: tuple[Any, ...] = ([], "text", 7, True, [{}])
    for body in bodies:
        assert send(world, circle, method, path, body).status in {400, 422}


def test_a_member_of_another_circle_is_nobody_here(world: World, circle: BuiltCircle) -> None:
    other = world.circle()
    foreign = world.member(other)

    for reply in (
        circle.owner.api.patch(f"{circle.path}/members/{foreign.id}", {"note": "x"}),
        circle.owner.api.post(f"{circle.path}/members/{foreign.id}/ban", {"refund": False}),
        circle.owner.api.get(f"{circle.path}/members/{foreign.id}"),
    ):
        assert reply.code == "not_found"
    assert circle.owner.api.post(f"{circle.path}/transfer", {"user_id": str(foreign.id)}).status == 422
    roster = circle.owner.api.get(f"{circle.path}/members?tier={other.tier(1).id}").ok()
    assert roster["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=1.5", "limit=x", "limit=" + "9" * 30, "cursor=" + "A" * 600, "cursor=%FF",
        "status=alive", "role=king", "tier=x", "tier=%00", "expiring_before=soon", "q=" + "x" * 41, "q=%00", "offset=1",
    ],
)  # fmt: skip
def test_queries_are_strict(circle: BuiltCircle, query: str) -> None:
    refused = circle.owner.api.get(f"{circle.path}/members?{query}")

    assert refused.status in {400, 422}
    assert refused.code


@pytest.mark.parametrize("path", ["/circles/x", "/circles/%00", "/circles/../me", "/circles/01890a5dac96774bbcceb302"])
def test_a_path_that_names_no_id_is_not_found(circle: BuiltCircle, path: str) -> None:
    assert circle.owner.api.get(path).status == 404


def test_odd_but_honest_text_is_kept(world: World, circle: BuiltCircle) -> None:
    name = "𠮷野家的👩\u200d👩\u200d👧 café"
    description = "第一行\r\n\t第二行 \u200fעברית\u200e 𓀀"

    page = circle.owner.api.patch(circle.path, {"name": name, "description": description}).ok()

    assert (page["name"], page["description"]) == (name, description)
