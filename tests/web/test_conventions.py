"""What holds for every answer: problems, languages, ids, entity tags, idempotency, limits."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from circle.app import _limiter
from circle.config import Settings
from circle.kernel.clock import ManualClock
from circle.kernel.errors import TooManyRequests
from circle.kernel.idempotency import STEPS_LEASE, IdempotencyKey, Steps
from circle.kernel.queue import SilentDoorbell
from circle.web.fields import Instant
from circle.web.limits import Limit, Limiter
from tests.client import Api, Reply, World
from tests.conftest import SECRET

NOBODY_THERE = "redis://127.0.0.1:1"
NEW = {"email": "lin@example.org", "password": "a good password", "display_name": "林晓"}


def test_a_problem_tells_code_and_request(api: Api) -> None:
    refused = api.get("/me", headers={"X-Request-Id": "phone-0001-abc"})

    assert refused.status == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["X-Request-Id"] == refused.json["request_id"] == "phone-0001-abc"
    assert {"type", "title", "status", "code", "detail"} <= set(refused.json)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Please log in."),
        ("en-GB,zh;q=0.5", "Please log in."),
        ("zh-CN", "请先登录。"),
        ("fr", "请先登录。"),
        ("", "请先登录。"),
    ],
)
def test_a_problem_speaks_the_readers_language(api: Api, language: str, sentence: str) -> None:
    assert api.get("/me", headers={"Accept-Language": language}).json["detail"] == sentence


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/me", 405, "method_not_allowed"),
        ("DELETE", "/me/sessions/not-a-uuid", 404, "not_found"),
    ],
)
def test_errors_of_http_itself_are_problems_too(api: Api, method: str, path: str, status: int, code: str) -> None:
    refused = api.request(method, path)

    assert (refused.status, refused.code) == (status, code)
    assert refused.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b'{"display_name": "\\ud800"}', 400, "malformed"),
        (b"[]", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b"null", 422, "invalid"),
        (b"[" * 5000, 400, "malformed"),
    ],
)
def test_a_body_that_is_no_object_is_refused(world: World, body: bytes, status: int, code: str) -> None:
    refused = world.person().api.request("PATCH", "/me", data=body, content_type="application/json")

    assert (refused.status, refused.code) == (status, code)


def test_a_body_of_another_type_is_refused(world: World) -> None:
    refused = world.person().api.request(
        "PATCH", "/me", data=b"bio=x", content_type="application/x-www-form-urlencoded"
    )

    assert (refused.status, refused.code) == (415, "unsupported_media_type")


def test_a_huge_body_is_refused(world: World) -> None:
    refused = world.person().api.patch("/me", {"bio": "x" * 3_000_000})

    assert (refused.status, refused.code) == (413, "too_large")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("display_name", "", "blank"),
        ("display_name", "   ", "blank"),
        ("display_name", "\u200b\u200b", "blank"),
        ("display_name", "a\u0000b", "bad_characters"),
        ("display_name", "admin\u202egnp", "bad_characters"),
        ("display_name", "two\nlines", "bad_characters"),
        ("display_name", "x" * 41, "bad_length"),
        ("display_name", 7, "wrong_type"),
        ("display_name", None, "null"),
        ("timezone", "Mars/Olympus", "unknown_timezone"),
        ("language", "tlh", "not_a_choice"),
        ("avatar_media_id", "123", "bad_id"),
        ("is_operator", True, "unknown_field"),
        ("id", "01890a5d-ac96-774b-bcce-b302099a8057", "unknown_field"),
        ("password_hash", "x", "unknown_field"),
    ],
)
def test_a_bad_field_is_named_with_a_code(world: World, field: str, value: Any, code: str) -> None:
    person = world.person()

    refused = person.api.patch("/me", {"bio": "new", field: value})

    assert (refused.status, refused.fields) == (422, {field: code})
    assert person.api.get("/me").json["bio"] == ""


@pytest.mark.parametrize("days", [6, 101])
def test_a_number_out_of_range_is_told_both_ends_in_both_languages(world: World, days: int) -> None:
    circle = world.circle()
    chinese, english = (Api(world.app, circle.owner.token, language) for language in ("zh-CN", "en"))

    messages = [api.patch(circle.path, {"lookback_days": days}).json["detail"] for api in (chinese, english)]

    assert messages == ["须在 7 到 100 之间。", "Must be greater than or equal to 7 and less than or equal to 100."]


def test_emoji_and_rare_han_are_welcome(world: World) -> None:
    person = world.person()

    person.api.patch("/me", {"display_name": "𠮷野👩‍👩‍👧", "bio": "第一行\n第二行 \u200fنص"}).ok()

    assert person.api.get("/me").json["display_name"] == "𠮷野👩‍👩‍👧"


def test_an_unchanged_answer_is_not_sent_again(world: World) -> None:
    person = world.person()
    first = person.api.get("/me")

    again = person.api.get("/me", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status, again.bytes) == (304, b"")
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert again.headers["ETag"] == first.headers["ETag"]
    person.api.patch("/me", {"bio": "new"}).ok()
    assert person.api.get("/me", headers={"If-None-Match": first.headers["ETag"]}).status == 200


@pytest.mark.parametrize(("held", "status"), [("W/{tag}", 304), ('"older", {tag}', 304), ("*", 304), ('"older"', 200)])
def test_tags_are_compared_as_proxies_pass_them_on(world: World, held: str, status: int) -> None:
    person = world.person()
    tag = person.api.get("/me").headers["ETag"]

    assert person.api.get("/me", headers={"If-None-Match": held.format(tag=tag)}).status == status


def test_a_stale_edit_loses(world: World) -> None:
    person = world.person()
    tag = person.api.get("/me").headers["ETag"]
    person.api.patch("/me", {"bio": "first"}, headers={"If-Match": tag}).ok()

    stale = person.api.patch("/me", {"bio": "second"}, headers={"If-Match": tag})

    assert (stale.status, stale.code) == (412, "stale_version")
    assert person.api.get("/me").json["bio"] == "first"


def test_a_repeated_key_replays_the_first_answer(world: World, sql: Any) -> None:
    person = world.person()
    key = {"Idempotency-Key": "one-tap-0001"}
    body = {"name": "script", "scopes": ["read"]}
    first = person.api.post("/me/tokens", body, headers=key)

    again = person.api.post("/me/tokens", body, headers=key)

    assert (again.status, again.bytes) == (201, first.bytes)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(person.api.get("/me/tokens").json["items"]) == 1
    stored = sql("SELECT answer FROM idempotency_keys")[0]["answer"]
    assert first.json["token"].encode() not in bytes(stored)


@pytest.mark.parametrize(("before", "status"), [(SECRET, 201), ("", 409)])
def test_answers_survive_a_change_of_the_secret_that_names_the_one_before(
    world: World, app: Flask, monkeypatch: pytest.MonkeyPatch, before: str, status: int
) -> None:
    person = world.person()
    key = {"Idempotency-Key": "one-tap-0001"}
    body = {"name": "script", "scopes": ["read"]}
    first = person.api.post("/me/tokens", body, headers=key)
    running = app.extensions["circle"]
    changed = replace(running.settings, secret_key="n" * 40, secret_key_before=before)
    monkeypatch.setitem(app.extensions, "circle", replace(running, settings=changed))

    again = person.api.post("/me/tokens", body, headers=key)

    assert again.status == status
    assert again.bytes == first.bytes if before else again.code == "idempotency_answer_lost"
    assert len(person.api.get("/me/tokens").json["items"]) == 1


def test_a_key_belongs_to_one_request(world: World) -> None:
    person, other = world.person(), world.person()
    key = {"Idempotency-Key": "one-tap-0001"}
    person.api.post("/me/tokens", {"name": "a", "scopes": ["read"]}, headers=key).ok(201)

    reused = person.api.post("/me/tokens", {"name": "b", "scopes": ["read"]}, headers=key)

    assert (reused.status, reused.code) == (422, "idempotency_key_reused")
    other.api.post("/me/tokens", {"name": "b", "scopes": ["read"]}, headers=key).ok(201)


def test_a_refused_request_does_not_use_its_key_up(world: World) -> None:
    person = world.person()
    key = {"Idempotency-Key": "one-tap-0001"}
    assert person.api.post("/me/tokens", {"name": "a", "scopes": []}, headers=key).status == 422

    person.api.post("/me/tokens", {"name": "a", "scopes": ["read"]}, headers=key).ok(201)


def test_a_request_that_is_still_running_is_not_run_again(world: World, clock: ManualClock) -> None:
    person, sent = world.person(), b'{"provider": "sandbox", "token": "ok"}'
    scope = f"{person.id} POST /v1/me/payment-methods"
    running = IdempotencyKey(scope=scope, key="one-tap-0001", request=sent, secrets=[SECRET])
    Steps(world.units, running).begin()

    def again() -> Reply:
        headers = {"Idempotency-Key": "one-tap-0001"}
        kind = "application/json"
        return person.api.request("POST", "/me/payment-methods", data=sent, content_type=kind, headers=headers)

    assert (again().status, again().code) == (409, "idempotency_key_in_use")
    clock.advance(STEPS_LEASE)
    assert again().status == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "中文".encode().decode("latin-1")])
def test_a_bad_key_is_refused(world: World, key: str) -> None:
    refused = world.person().api.post("/me/tokens", {"name": "a", "scopes": ["read"]}, headers={"Idempotency-Key": key})

    assert (refused.status, refused.code) == (400, "bad_idempotency_key")


def test_reading_opens_no_transaction_and_rings_nobody(world: World, doorbell: SilentDoorbell) -> None:
    person = world.person()
    doorbell.rung.clear()

    person.api.get("/me").ok()

    assert doorbell.rung == []


def test_a_limit_tells_when_to_come_back(settings: Settings) -> None:
    limiter = Limiter(settings.redis_url)
    limit = Limit("test", "2/minute")
    somebody = uuid4().hex  # what is counted in Valkey outlives a test
    left = [limiter.hit(limit, somebody) for _ in range(2)]

    with pytest.raises(TooManyRequests) as refused:
        limiter.hit(limit, somebody)

    assert [allowance.remaining for allowance in left if allowance] == [1, 0]
    assert 0 < refused.value.retry_after <= 60
    limiter.hit(limit, uuid4().hex)


def test_every_answer_tells_of_the_limit_with_the_least_left(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    running = app.extensions["circle"]
    limiter = Limiter(NOBODY_THERE)
    monkeypatch.setitem(app.extensions, "circle", replace(running, limiter=limiter))
    wrong = {"email": "nobody-at-all@example.org", "code": "000000"}

    refused = [Api(app).post("/auth/login", wrong) for _ in range(11)]

    told = [{name: reply.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining")} for reply in refused]
    assert [reply.status for reply in refused] == [401] * 10 + [429]
    assert told == [{"Limit": "10", "Remaining": str(max(9 - n, 0))} for n in range(11)]
    assert refused[-1].headers["RateLimit-Reset"] == refused[-1].headers["Retry-After"]


@pytest.mark.parametrize(
    ("test_mode", "told", "limit"),
    [
        (True, None, 2000),
        (True, True, 2),
        (True, False, None),
        (False, None, 2),
        (False, True, 2),
        (False, False, None),
    ],
)
def test_test_mode_raises_the_limits_unless_told(
    settings: Settings, *, test_mode: bool, told: bool | None, limit: int | None
) -> None:
    limiter = _limiter(replace(settings, redis_url=NOBODY_THERE, test_mode=test_mode, rate_limits=told))

    left = limiter.hit(Limit("test", "2/minute"), "somebody")

    assert (left and left.limit) == limit


def test_instants_are_told_in_utc(world: World, api: Api) -> None:
    circle = world.circle(timezone="Asia/Shanghai")
    post = world.post(circle, access="preview")
    pages = (
        circle.owner.api.get("/me"),
        api.get(circle.path),
        api.get(post.path),
        circle.owner.api.get("/me/sessions"),
    )

    told = [instant for page in pages for instant in re.findall(r'"(\d{4}-\d\d-\d\dT[^"]*)"', page.bytes.decode())]
    assert len(told) >= len(pages)
    assert [instant for instant in told if not instant.endswith("Z")] == []
    shanghai = datetime(2026, 3, 1, 8, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert Instant().serialize("at", {"at": shanghai}) == "2026-03-01T00:00:00Z"


def test_only_what_strangers_see_may_be_kept_by_a_cache_for_all(world: World, api: Api) -> None:
    circle = world.circle()

    assert api.get(circle.path).headers["Cache-Control"] == "public, no-cache"
    mine = circle.owner.api.get(circle.path)
    assert mine.headers["Cache-Control"] == "private, no-cache"
    assert mine.headers["Vary"] == "Authorization, Accept-Language"


def test_limits_hold_with_redis_down() -> None:
    limiter = Limiter(NOBODY_THERE)
    limit = Limit("test", "2/minute")
    for _ in range(2):
        limiter.hit(limit, "somebody")

    with pytest.raises(TooManyRequests):
        limiter.hit(limit, "somebody")


def test_answers_set_no_cookie(api: Api, app: Flask) -> None:
    answer = api.post("/auth/register", NEW)

    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
