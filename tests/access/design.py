"""What the design demands of tests/states.yml, once more by rule: who somebody is, what a thing is, what a route does.

Written from the design. product.md: roles, tiers, states, moderation; what is locked shows title, kind and excerpt.
quality.md: 401 without a caller; 404 where existence is secret; 403 where it is known but not paid or not allowed.
http-api.md: a locked thing answers 200 with its teaser; strangers get 404 where the circle shows none; 409 is a
conflict. learning.md: whose work is whose. A rule gives the answers that may be: several where it has a choice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.access.rows import LOCKED, Answer, Row

DEAD = frozenset({"suspended", "deleted", "token_revoked"})
OUTSIDE = frozenset({"outsider", "other_member", "other_owner", "operator", "removed", "pending"})
ENDED = frozenset({"expired", "refunded"})
RANKS = {"free": 1, "tier1": 2, "tier2": 3, "muted": 3}
MODERATORS = frozenset({"owner", "partner", "admin"})
STAFF = MODERATORS | {"guest"}
_OWNER = frozenset({"owner"})
_PARTNERS = frozenset({"owner", "partner"})
# Whose the thing is.
AUTHOR = frozenset({"author"})
INSIDE = STAFF | RANKS.keys()

OK = frozenset({200, 201, 202, 204, 302})
# It is allowed, and may be impossible now, or the body names what can't be.
ALLOWED = OK | {409, 422}
REFUSED = frozenset({403, 404})
SECRET = frozenset({404})
KNOWN = frozenset({403})


@dataclass(frozen=True)
class Thing:
    """What a target is. `rank`: the least that opens it; `seen_by`: to whom alone it exists, None: to all members."""

    author: str = "owner"
    rank: int = 1
    seen_by: frozenset[str] | None = None
    preview: bool = False


def _of(author: str, *others: str) -> Thing:
    return Thing(author, seen_by=frozenset({author, *others}))


_GONE = Thing(seen_by=frozenset())
THINGS: dict[str, dict[str, Thing]] = {
    "post_id": {
        **dict.fromkeys(("draft", "scheduled"), _of("tier2")),
        **dict.fromkeys(("review", "hidden_post", "trashed"), _of("tier2", *MODERATORS)),
        "question_unpaid": _of("tier1"),
        "preview": Thing(preview=True),
        "members": Thing("tier2"),
        "tier2": Thing(rank=3),
        "hidden_circle": Thing(),
        "closed_circle": Thing("tier2"),
    },
    "comment_id": {
        "": Thing("tier1"),
        "tier2_comment": Thing("tier2", rank=3),
        "held": _of("tier1", *MODERATORS),
        "hidden_comment": Thing("tier1", seen_by=MODERATORS),
        "trashed_comment": _GONE,
        "on_trashed_post": Thing("tier1", seen_by=frozenset({"tier2", *MODERATORS})),
        "hidden_circle": Thing(),
        "closed_circle": Thing("tier1"),
    },
    "column_id": {
        "members_column": Thing(),
        "tier2_column": Thing(rank=3),
        "hidden_circle": Thing(),
        "closed_circle": Thing(),
    },
    "media_id": {
        "": Thing(rank=3),
        **dict.fromkeys(("draft_file", "scheduled_file"), _of("tier2")),
        **dict.fromkeys(("hidden_file", "trashed_file"), _of("tier2", *MODERATORS)),
        "hidden_circle": Thing(),
        "closed_circle": Thing(),
    },
    "assignment_id": {
        "": Thing(),
        "tier2_homework": Thing(rank=3),
        "unopened": Thing(),
        "deleted": _GONE,
        "named": _of("tier2", *STAFF),
        "hidden_circle": Thing(),
        "closed_circle": Thing(),
    },
    "submission_id": {
        **dict.fromkeys(("", "agreed", "hidden_circle", "closed_circle"), _of("tier1", *STAFF)),
        "peers": _of("tier2", "tier1", *STAFF),
        "deleted": _GONE,
        "named": _of("tier2", *STAFF),
    },
    "review_id": {
        **dict.fromkeys(("", "hidden_circle", "closed_circle"), _of("owner", "tier1", *STAFF)),
        "held_scores": _of("owner", *STAFF),
    },
    "camp_id": {
        "": Thing(),
        "tier2_camp": Thing(rank=3),
        "hidden_circle": Thing(),
        "closed_circle": Thing(),
    },
    "check_in_id": {
        "": Thing("tier2"),
        "tier2_camp": Thing("tier2", rank=3),
        "deleted": _GONE,
        "hidden_circle": Thing("tier2"),
        "closed_circle": Thing("tier2"),
    },
    "circle_id": {"hidden_circle": Thing(preview=True), "closed_circle": Thing(preview=True)},
}

# Who may do what, in the words of product.md and learning.md.
_MAY: tuple[tuple[str, frozenset[str]], ...] = (
    (r"(PUT|DELETE) \S*/posts/\S+/(hidden|digest|tags|pin)", MODERATORS),
    (r"POST \S*/(posts|comments)/\S+/approve", MODERATORS),
    (r"(PUT|DELETE) \S*/comments/\S+/hidden", MODERATORS),
    (r"DELETE \S*/(posts|comments|check-ins)/\{\w+\}$", MODERATORS | AUTHOR),
    (r"POST \S*/posts/\S+/restore", MODERATORS | AUTHOR),
    (r"GET \S*/posts/\{\w+\}/revisions", MODERATORS | AUTHOR),
    (r"PATCH \S*/(posts|comments)/\{\w+\}$", AUTHOR),
    (r"POST \S*/posts/\S+/checkout", AUTHOR),
    (r"POST \S*/media/\S+/complete", AUTHOR),
    (r"(PATCH|PUT|DELETE) \S*/columns/", MODERATORS),
    (r"\w+ \S*/circles/\S+/(invitations|blocked-words|reports|comments|archive-report|batch)$", MODERATORS),
    (r"(GET \S*/circles/\S+/members$|DELETE \S*/circles/\S+/invitations/)", MODERATORS),
    (r"(PATCH|POST) \S*/circles/\S+/members/", MODERATORS),
    (r"(POST \S*/circles/\S+/columns|PUT \S*/circles/\S+/start-here)", MODERATORS),
    (r"GET \S*/circles/\S+/(audit|balance|ledger|payout\S*|statements|coupons|price-campaigns)$", _PARTNERS),
    (r"POST \S*/circles/\S+/(coupons|imports)", _PARTNERS),
    (r"(POST|PUT|DELETE) \S*/circles/\S+/(tiers|payouts|payout-account|price-campaigns|transfer)$", _OWNER),
    (r"(PATCH|DELETE) \S*/assignments/\{\w+\}$", STAFF),
    (r"\w+ \S*/assignments/\S+/(release|queue|extensions|missing|remind)", STAFF),
    (r"\w+ \S*/submissions/\S+/(neighbours|reviews|showcase)", STAFF),
    (r"GET \S*/reviews/\S+/revisions", STAFF),
    (r"PATCH \S*/reviews/", _PARTNERS),
    (r"\w+ \S*/circles/\S+/gradebook", STAFF),
    (r"POST \S*/circles/\S+/(assignments|camps)", STAFF),
    (r"PATCH \S*/camps/\{\w+\}$", STAFF),
    (r"\w+ \S*/camps/\S+/(class-calendar|at-risk|nudge)", STAFF),
    (r"(PUT|DELETE) \S*/check-ins/\S+/(note|pin)", STAFF),
    (r"GET \S*/check-ins/\S+/versions", STAFF | AUTHOR),
)  # fmt: skip
# Public reading: pages and lists that strangers find a circle by.
_PUBLIC = re.compile(
    r"GET /v1/(posts/\{\w+\}(/comments|/related)?|columns/\{\w+\}(/items)?|camps/\{\w+\}"
    r"|circles/\{\w+\}(/(posts|tiers|tags|columns|pins|start-here|on-this-day|camps))?)$"
)
# Read in part by who may not open it: title, kind, times and the free excerpt.
_TEASER = re.compile(r"GET /v1/(posts|columns|camps|assignments)/\{\w+\}$")
# One's own, whether or not the thing is seen: a bookmark, one's work, one's place in a circle, an offer made to one.
_OWN = re.compile(
    r"DELETE \S+/bookmark$|/(mine|consent|membership|leave|transfer|accept|join|exports)$|GET \S+/(draft|me|calendar)$"
)
# A question may have no answer, a column need be no path, money nowhere to go; an invitation is of one circle.
_MAY_BE_NONE = re.compile(r"/(answer/revisions|progress|payout-account|invitations/\{\w+\})$")
# Whether the post above is locked is told before it is looked whether they exist.
_BELOW_LOCKED = frozenset({"comment_id", "check_in_id"})
# Strangers are not told that there is homework.
_OF_MEMBERS = frozenset({"assignment_id", "submission_id", "review_id"})
# Somebody who is muted says nothing.
_SAYING = re.compile(r"POST \S+/(comments|posts|answer)$|PATCH \S+/answer$|PUT \S+/like$")
# What a closed circle ends: new words, new work, new members. Taking things away goes on, and so do the books.
_ENDS = re.compile(
    r"POST \S+/(comments|posts|answer|assignments|camps|columns|imports|check-ins|leave-days|submissions|checkout)$"
    r"|POST \S+/(reviews|peer-review|showcase|release|extensions|remind|nudge|queue/claim|camps/\{\w+\}/join)$"
    r"|PATCH \S+/(answer|assignments/\{\w+\})$|PUT \S+/(reactions/\{\w+\}|draft|like)$"
)


def may_answer(row: Row, kind: str, role: str) -> frozenset[Answer]:
    """Return the answers that the design leaves for a cell."""
    allowed: frozenset[Answer] = ALLOWED | REFUSED | {LOCKED, 401}
    for answers in _demands(row, kind, role):
        allowed &= answers
    return allowed


def _demands(row: Row, kind: str, role: str) -> Iterator[frozenset[Answer]]:
    if role in DEAD or (role == "anonymous" and not _PUBLIC.match(row.route)):
        yield frozenset({401})
        return
    yield ALLOWED | REFUSED | {LOCKED}
    if role == "token_read":
        yield from _of_a_token(row)
    elif not _OWN.search(row.route):
        yield from _of_a_person(row, kind, role)
    elif role in OUTSIDE | {"banned"} and row.method != "GET":
        yield REFUSED | {200, 204, 409}


def _of_a_token(row: Row) -> Iterator[frozenset[Answer]]:
    """It reads as its owner does, and writes nothing."""
    yield frozenset({row.cells["owner"]}) if row.method == "GET" else KNOWN


def _of_a_person(row: Row, kind: str, role: str) -> Iterator[frozenset[Answer]]:
    thing = THINGS[kind][row.target or ""]
    if role == "banned":
        yield REFUSED if kind == "media_id" or _is_gone(thing) else KNOWN
    elif row.target == "hidden_circle" and role in OUTSIDE | {"anonymous"}:
        yield SECRET
    elif row.route == "DELETE /v1/comments/{comment_id}" and role == thing.author and not _is_gone(thing):
        # One's own words are taken back wherever they stand.
        yield ALLOWED
    elif thing.seen_by is not None and role not in thing.seen_by:
        yield SECRET if role in INSIDE or kind not in _BELOW_LOCKED else REFUSED
    elif not _opens(thing, kind, role):
        yield _of_a_closed_door(row, kind, role)
    else:
        yield from _of_an_open_door(row, kind, role, thing)


def _of_a_closed_door(row: Row, kind: str, role: str) -> frozenset[Answer]:
    """It exists for them; they have not paid for it, or not any more."""
    if kind == "media_id" or (kind in _OF_MEMBERS and role in OUTSIDE):
        return SECRET
    return frozenset({LOCKED}) if _TEASER.match(row.route) else KNOWN


def _of_an_open_door(row: Row, kind: str, role: str, thing: Thing) -> Iterator[frozenset[Answer]]:
    nothing_there = frozenset({404, 409}) if _MAY_BE_NONE.search(row.route) else frozenset()
    may = _who_may(row.route, thing)
    if may is not None:
        yield ALLOWED | nothing_there if role in may else SECRET if kind == "media_id" else KNOWN
    elif row.method != "GET":
        yield ALLOWED | KNOWN
    elif row.target == "unopened" and role not in STAFF:
        yield frozenset({LOCKED, 409})
    else:
        yield OK | nothing_there | (KNOWN if kind == "circle_id" and role not in INSIDE else frozenset())
    if role == "muted" and _SAYING.search(row.route):
        yield REFUSED | {409}
    if row.target == "closed_circle" and _ENDS.search(row.route):
        yield REFUSED | {409}


def _is_gone(thing: Thing) -> bool:
    return thing.seen_by == frozenset()


def _opens(thing: Thing, kind: str, role: str) -> bool:
    """Tell whether somebody may open a thing that exists for them: by their role, their tier, or because it is free."""
    if role in STAFF or role == thing.author or thing.seen_by is not None:
        return True
    if role in RANKS:
        return RANKS[role] >= thing.rank
    # What one paid for stays readable: a column holds what was posted then.
    return thing.preview or (kind == "column_id" and role == "expired")


def _who_may(route: str, thing: Thing) -> frozenset[str] | None:
    """Return who may do it; None: whoever may open the thing, or the design does not say."""
    may = next((may for pattern, may in _MAY if re.match(pattern, route)), None)
    return may | {thing.author} if may is not None and may >= AUTHOR else may
