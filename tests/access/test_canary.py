"""The canary: random words in paid and unseen things, looked for in everything that the system puts out."""

import re
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from circle.config import Settings
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from tests.access.content import HELD_WORD
from tests.access.crawl import browse, crawl, in_redis, kept_in, leaky_posts, logged
from tests.access.requests import OPERATIONS, request_of
from tests.access.rows import all_rows, read_matrix
from tests.access.scene import Scene, leaks
from tests.access.secrets import Secret
from tests.builders.billing import idempotency_key
from tests.builders.discussion import mention
from tests.conftest import START, SwitchedConnections
from tests.notifications.test_webhooks import Bot, running

_MALFORMED: tuple[Any, ...] = ({}, {"nonsense": 1}, [])
PAID = "GET /v1/posts/{post_id} @tier2"
# Everybody who may not open the paid post, living credentials and none.
UNENTITLED = tuple(role for role, answer in read_matrix()[PAID].cells.items() if answer not in {200, 401})
# Where words live; anything else that holds one is a copy that nobody decided on.
HOMES = {
    "answer_revisions.body",
    "answers.body",
    "assignments.brief",
    "bookmarks.own_note",
    "check_in_comments.body",
    "check_in_versions.body",
    "check_ins.body",
    "check_ins.teacher_note",
    "column_sections.name",
    "comments.body",
    "homework_drafts.body",
    "invitations.note",
    "media.filename",
    "memberships.note",
    "coupons.note",
    "payouts.note",
    "post_revisions.body",
    "posts.attachments",
    "posts.body",
    "posts.title",
    "reports.note",
    "review_revisions.body",
    "reviews.body",
    "search_documents.text",
    "search_documents.title",
    "search_documents.words",
    "submissions.body",
}


def canaries(scene: Scene, *roles: str) -> list[Secret]:
    """The secrets that none of the roles may know."""
    matrix = all_rows()
    known = [(one, (matrix[one.row].readers if one.row else frozenset()) | one.also) for one in scene.secrets.kept]
    return [secret for secret, readers in known if readers.isdisjoint(roles)]


def test_the_paid_post_has_canaries_all_around(scene: Scene) -> None:
    about = {secret.what for secret in canaries(scene, *UNENTITLED)}

    assert {
        "the edited body of the post @tier2",
        "what the post @tier2 said before its edit",
        "the name of an attachment of the post @tier2",
        "a comment on the post @tier2",
        "the body of the post @draft",
        "the title of the post @scheduled",
    } <= about


@pytest.mark.parametrize("role", ["anonymous", "outsider", "expired", "free"])
def test_nobody_reads_what_they_have_not_paid_for(scene: Scene, role: str) -> None:
    """For the other roles the matrix looks for the same words in every row."""
    assert crawl(scene, role, canaries(scene, role)) == []


def test_no_filter_and_no_page_tells_what_is_not_paid_for(scene: Scene) -> None:
    assert [finding for role in UNENTITLED for finding in browse(scene, role, canaries(scene, role))] == []


def test_a_leaky_filter_is_found_by_the_crawl(scene: Scene) -> None:
    with leaky_posts():
        found = crawl(scene, "outsider", canaries(scene, "outsider"))

    assert {finding.where for finding in found} >= {
        PAID,
        "GET /v1/posts/{post_id}/comments @tier2",
        "GET /v1/circles/{circle_id}/posts",
        "GET /v1/circles/{circle_id}/changes",
        "GET /v1/circles/{circle_id}/questions",
        "GET /v1/media/{media_id}",
        "/v1/circles/{circle_id}/posts?tag=写作",
        "GET /v1/circles/{circle_id}/pins",
        "GET /v1/circles/{circle_id}/start-here",
        "GET /v1/circles/{circle_id}/gems",
        "GET /v1/circles/{circle_id}/on-this-day",
        "GET /v1/posts/{post_id}/related @preview",
        "/v1/search?q=机密&circle_id={circle_id}&limit=100",
    }
    assert crawl(scene, "outsider", canaries(scene, "outsider")) == []


def test_a_refused_write_tells_nothing_even_if_it_is_malformed(scene: Scene) -> None:
    found = []
    for row in read_matrix().values():
        if row.method == "GET" or not OPERATIONS[row.route].body:
            continue
        things = {**scene.things(row.target), **scene.things("tier2")}
        path = row.path.format_map({name: str(value) for name, value in things.items()})
        for body in _MALFORMED:
            reply = scene.ask("free", row.method, path, json=body, headers=idempotency_key())
            found += [(row.key, what) for what in leaks(reply, canaries(scene, "free"))]

    assert found == []


def test_words_stay_where_they_live(scene: Scene, settings: Settings) -> None:
    """Nothing of a text is copied into notices, mail, outbox, audit, change log, idempotency records or Redis."""
    with scene.undone(), logged(settings.log_level) as log:
        written = _make_a_stir(scene)
        load_job("outbox.relay").run(scene.app.extensions["circle"].units)
        secrets = [*scene.secrets.kept, *written]
        held = kept_in(scene, [secret for secret in secrets if not secret.is_name])
        lines = log.getvalue()

    assert "/posts" in lines, "nothing was logged: this test would find nothing"
    assert {secret.what for secret in secrets if secret.marker in lines} == set()
    assert {secret.what for secret in written} <= set().union(*held.values())
    assert {column: held[column] for column in held.keys() - HOMES} == {}
    # Limits on log-in are counted by address, for an hour.
    assert in_redis(Redis.from_url(settings.redis_url), [secret for secret in secrets if not secret.is_name]) == []


def _make_a_stir(scene: Scene) -> list[Secret]:
    """A paid post that names a member who may not read it, and what follows; returns the words in it."""
    secrets = [Secret(f"zqstir{name}", f"the new {name}", PAID) for name in ("post", "comment", "answer")]
    post, comment, answer = (secret.marker for secret in secrets)
    owner, circle, cast = scene.api("owner"), scene.cast.open, scene.cast.people
    named = mention(cast["tier1"])
    gate = {"level": "tier", "tier_id": str(circle.tiers["学员"].id)}
    body: dict[str, Any] = {"kind": "talk", "body": f"{post} {named}", "access": gate}
    made = owner.post(f"{circle.path}/posts", body, headers=idempotency_key()).ok(201)
    below = f"/posts/{made['id']}/comments"
    scene.api("tier2").post(below, {"body": f"{comment} {named}"}, headers=idempotency_key()).ok(201)
    scene.api("tier1").post(below, {"body": "让我看看"}).ok(403)
    question = scene.things("question_open")["post_id"]
    owner.post(f"/posts/{question}/answer", {"body": f"{answer} {named}"}, headers=idempotency_key()).ok(201)
    return secrets


def test_the_weekly_digest_names_nothing_that_its_reader_may_not_open(
    scene: Scene, shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell]
) -> None:
    """On the evening of the scene's Sunday; mail leaves once nobody's quiet hours keep it."""
    units, clock = scene.app.extensions["circle"].units, shared[2]
    paid = {str(scene.things(target)["post_id"]) for target in ("tier2", "year_ago")}
    with scene.undone():
        clock.set(START + timedelta(hours=8))
        assert load_job("archive.send_weekly").run(units) > 0
        clock.advance(timedelta(days=1))
        load_job("outbox.relay").run(units)
        told = scene.rows("SELECT user_id, data FROM notifications WHERE kind = 'weekly_digest'")
        letters = scene.rows(
            "SELECT letter.to, letter.subject || letter.body AS said FROM mailbox_messages AS letter"
            " JOIN notifications AS notice ON letter.key LIKE '%' || notice.id || '%'"
            " WHERE notice.kind = 'weekly_digest'"
        )
        clock.set(START)

    unentitled = {person.id for role, person in scene.cast.people.items() if role in UNENTITLED}
    told_of_paid = {row["user_id"] for row in told if paid & set(row["data"]["post_ids"])}
    assert told_of_paid, "nobody was told of a paid post: this would find nothing"
    assert told_of_paid & unentitled == set()
    roles = {person.email: role for role, person in scene.cast.people.items()}
    assert letters
    for letter in letters:
        unfit = canaries(scene, roles[letter["to"]])
        assert [secret.what for secret in unfit if secret.marker in letter["said"]] == []


def test_a_webhook_says_that_something_happened_and_not_what_was_said(scene: Scene) -> None:
    units = scene.app.extensions["circle"].units
    with ExitStack() as stack:
        stack.enter_context(scene.undone())
        bots = {role: stack.enter_context(running(Bot())) for role in ("expired", "free", "tier1", "tier2", "owner")}
        for role, bot in bots.items():
            scene.api(role).put("/me/webhook", {"url": bot.url}).ok()
        written = _make_a_stir(scene)
        load_job("hooks.relay").run(units)
        posted = {role: b"".join(body + str(head).encode() for head, body in bot.posts) for role, bot in bots.items()}

    assert posted["tier1"], "nobody was told of anything: this would find nothing"
    words = [secret for secret in [*scene.secrets.kept, *written] if not secret.is_name]
    for role, said in posted.items():
        assert [one.what for one in [*words, *canaries(scene, role)] if one.marker.encode() in said] == []


# What is asked about a circle, by its lists, counts, searches and files.
_ABOUT_CIRCLES = re.compile(r"/(circles/|columns/|search|me/)")


@pytest.mark.reliability
@pytest.mark.parametrize(
    ("role", "unseen"), [("free", ("draft", "scheduled", "review", "unpaid")), ("owner", ("draft", "scheduled"))]
)
def test_what_somebody_may_not_see_changes_no_list_and_no_count(
    scene: Scene, role: str, unseen: tuple[str, ...]
) -> None:
    before = _read_all(scene, role)
    with scene.undone():
        _write_unseen(scene, unseen)
        after = _read_all(scene, role)

    assert len(before) > 60
    assert {key: (before[key], after[key]) for key in before if before[key] != after[key]} == {}


def test_what_is_published_changes_lists_and_counts(scene: Scene) -> None:
    """The same look finds what may be seen."""
    before = _read_all(scene, "owner", only="/tags")
    with scene.undone():
        _write_unseen(scene, ("published",))
        after = _read_all(scene, "owner", only="/tags")

    assert before != after


def _write_unseen(scene: Scene, states: tuple[str, ...]) -> None:
    tier2, posts = scene.api("tier2"), f"{scene.cast.open.path}/posts"
    about: dict[str, dict[str, Any]] = {
        "published": {},
        "draft": {"draft": True},
        "scheduled": {"publish_at": scene.content.next_month},
        "review": {"body": HELD_WORD},
    }
    for state in states:
        if state == "unpaid":
            question = {"kind": "question", "body": "机密", "amount": 500}
            scene.api("tier1").post(posts, question, headers=idempotency_key()).ok(201)
            continue
        body = {"kind": "article", "title": "机密", "body": "机密", "tags": ["写作"], **about[state]}
        tier2.post(posts, body, headers=idempotency_key()).ok(201)
    for job in ("search.catch_up", "archive.rescore"):
        load_job(job).run(scene.app.extensions["circle"].units)


def _read_all(scene: Scene, role: str, only: str = "") -> dict[str, Any]:
    found = {}
    for row in read_matrix().values():
        if row.method == "GET" and _ABOUT_CIRCLES.search(row.path) and only in row.path:
            sent = request_of(scene, row, role)
            said = scene.ask(role, sent.method, sent.path, **sent.arguments).json
            found[row.key] = {**said, "request_id": None} if isinstance(said, dict) else said
    return found


@pytest.mark.parametrize("role", ["anonymous", "outsider", "free", "expired"])
def test_the_entity_tag_of_a_reader_opens_nothing(scene: Scene, role: str) -> None:
    path = f"/posts/{scene.things('tier2')['post_id']}"
    theirs = scene.ask("tier2", "GET", path)
    tag = {"If-None-Match": theirs.headers["ETag"]}

    mine = scene.ask(role, "GET", path, headers=tag)

    assert (mine.status, mine.json["locked"]) == (200, True)
    assert scene.ask("tier2", "GET", path, headers=tag).status == 304
    assert mine.headers["ETag"] != theirs.headers["ETag"]
    assert "Authorization" in mine.headers["Vary"]


def test_what_is_for_one_reader_is_kept_by_no_shared_cache(scene: Scene) -> None:
    for row in read_matrix().values():
        if row.method == "GET" and row.cells["tier2"] == 200:
            sent = request_of(scene, row, "tier2")
            answer = scene.ask("tier2", "GET", sent.path, **sent.arguments)
            assert "private" in answer.headers["Cache-Control"], row.key
