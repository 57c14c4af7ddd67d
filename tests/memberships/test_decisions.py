"""What a standing allows, decided without a database: every status, at every edge of a time."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from circle.kernel.caller import Caller
from circle.kernel.errors import CircleError, NotFound
from circle.memberships import errors, policy
from circle.memberships.permissions import LADDER, Permission, outranks
from circle.memberships.policy import NO_RANK, Standing
from tests.builders.standings import CIRCLE, MEMBERSHIP, NOW, PERSON, standing

INSTANT = timedelta(microseconds=1)


def asked(found: Standing, *, read_only: bool = True) -> tuple[Any, Caller]:
    """A unit of work and a caller whose gate has fetched the standing."""
    return SimpleNamespace(now=NOW, read_only=read_only), Caller(PERSON, known={CIRCLE: found})


STRANGER = {"user_id": None, "membership_id": None, "role": None, "status": None, "joined_at": None, "rank": None}
NEVER_IN = {"status": "pending", "joined_at": None, "rank": None}
OVER = {"status": "expired", "after_expiry": "none"}
ASKS_AGAIN = {"status": "pending", "rank": None}


@pytest.mark.parametrize(
    ("what", "inside", "keeps", "looks", "refused"),
    [
        ({}, True, True, True, None),
        ({"after_expiry": "none"}, True, False, True, None),
        # Without a live grant, only a role reads.
        ({"rank": None}, False, True, True, errors.MembershipExpired),
        ({"rank": None, "role": "guest"}, True, True, True, None),
        ({"rank": None, "role": "guest", "status": "expired"}, False, True, True, errors.MembershipExpired),
        ({"status": "expired"}, False, True, True, errors.MembershipExpired),
        (OVER, False, False, False, NotFound),
        ({**OVER, "preview_policy": "public"}, False, False, True, errors.MembershipExpired),
        ({"status": "left"}, False, True, True, errors.NotAMember),
        ({"status": "removed"}, False, False, False, NotFound),
        ({"status": "removed", "preview_policy": "public"}, False, False, True, errors.NotAMember),
        ({"status": "banned"}, False, False, False, errors.Banned),
        ({"status": "banned", "preview_policy": "public"}, False, False, False, errors.Banned),
        (ASKS_AGAIN, False, True, True, errors.NotAMember),
        ({**ASKS_AGAIN, "ended_at": NOW}, False, False, False, NotFound),
        (NEVER_IN, False, False, False, NotFound),
        ({**NEVER_IN, "preview_policy": "public"}, False, False, True, errors.NotAMember),
        (STRANGER, False, False, False, NotFound),
        ({**STRANGER, "preview_policy": "public"}, False, False, True, errors.NotAMember),
    ],
)  # fmt: skip
def test_who_is_inside_and_who_may_look(
    what: dict[str, Any], *, inside: bool, keeps: bool, looks: bool, refused: type[CircleError] | None
) -> None:
    found = standing(**what)

    assert (found.is_inside, found.keeps_paid_term, found.may_look) == (inside, keeps, looks)
    if refused is None:
        assert policy.require_member(*asked(found), CIRCLE) is found
    else:
        with pytest.raises(refused):
            policy.require_member(*asked(found), CIRCLE)


@pytest.mark.parametrize(
    ("what", "read"),
    [
        ({}, {}),
        ({"lookback_days": 7}, {"reads_since": NOW - timedelta(days=16)}),
        ({"lookback_days": 0}, {"reads_since": NOW - timedelta(days=9)}),
        ({"lookback_days": 7, "joined_at": None}, {}),
        ({"rank": 2}, {"reader_rank": 2}),
        ({"rank": None}, {"reader_rank": NO_RANK}),
        ({"rank": 2, "status": "left"}, {"reader_rank": NO_RANK}),
        ({"role": "admin", "rank": None}, {"reader_rank": NO_RANK, "reads_everything": True}),
        ({"after_expiry": "none"}, {"keeps_paid_term": False}),
    ],
)
def test_what_a_standing_reads(what: dict[str, Any], read: dict[str, Any]) -> None:
    usual = {
        "reader_id": PERSON,
        "reader_membership_id": MEMBERSHIP,
        "reader_rank": 0,
        "reads_everything": False,
        "reads_since": datetime(1, 1, 1, tzinfo=UTC),
        "keeps_paid_term": True,
    }

    assert standing(**what).reading() == {**usual, **read}


@pytest.mark.parametrize(
    ("what", "refused", "until"),
    [
        ({}, None, None),
        ({"muted_until": NOW}, None, None),
        ({"muted_until": NOW + INSTANT}, errors.Muted, "2026-03-01T04:00Z"),
        ({"muted_until": NOW + timedelta(minutes=5), "role": "admin"}, errors.Muted, "2026-03-01T04:05Z"),
        ({"silence_hours": 9 * 24}, None, None),
        ({"silence_hours": 9 * 24 + 1}, errors.TooNew, "2026-03-01T05:00Z"),
        ({"silence_hours": 9 * 24 + 1, "role": "guest"}, None, None),
        ({"silence_hours": 9 * 24 + 1, "joined_at": None}, None, None),
        ({"closed_at": NOW}, errors.CircleClosed, None),
        ({"closed_at": NOW, "role": "owner"}, errors.CircleClosed, None),
        ({"status": "left"}, errors.NotAMember, None),
    ],
)
def test_who_may_speak(what: dict[str, Any], refused: type[CircleError] | None, until: str | None) -> None:
    found = standing(**what)
    if refused is None:
        assert policy.require_voice(*asked(found, read_only=False), CIRCLE) is found
        return

    with pytest.raises(refused) as refusal:
        policy.require_voice(*asked(found, read_only=False), CIRCLE)
    assert refusal.value.data == ({"until": until} if until else {})


@pytest.mark.parametrize(
    ("role", "status"), [("member", "active"), (None, "active"), ("admin", "left"), ("owner", None)]
)
def test_a_permission_is_a_role_in_force(role: str | None, status: str | None) -> None:
    found = standing(role=role, status=status, preview_policy="public")

    assert not found.may(Permission.MODERATE)
    assert standing(role="admin").may(Permission.MODERATE)
    with pytest.raises((errors.MissingPermission, errors.NotAMember)):
        policy.require_permission(*asked(found), CIRCLE, Permission.MODERATE)


def test_a_missing_permission_is_named() -> None:
    with pytest.raises(errors.MissingPermission) as refusal:
        policy.require_permission(*asked(standing()), CIRCLE, Permission.MODERATE)

    assert refusal.value.data == {"permission": "moderate"}
    assert refusal.value.say("en") == "Only moderators may do this."


def test_nobody_reaches_their_own_role_or_above() -> None:
    for at, role in enumerate(LADDER):
        for other_at, other in enumerate(LADDER):
            assert outranks(role, other) == (at < other_at)
        assert not outranks(None, role)
    policy.require_reach(standing(role="partner"), "admin", "member")
    with pytest.raises(errors.OutOfReach):
        policy.require_reach(standing(role="partner"), "member", "partner")


def test_what_a_gate_fetched_is_for_reading_alone() -> None:
    found = standing()
    reading, caller = asked(found)
    writing, _ = asked(found, read_only=False)

    assert policy.find_standing(reading, caller, CIRCLE) is found
    assert policy.find_standing(writing, caller, CIRCLE, as_admitted=True) is found
    assert policy.gated_standing(reading, caller, CIRCLE) is found
    assert policy.gated_standing(reading, caller, PERSON) is None
    assert policy.gated_standing(reading, None, CIRCLE) is None
    assert policy.gated_standing(writing, caller, CIRCLE) is None
    assert policy.standings_of(Caller(PERSON, known={CIRCLE: found, "other": 1})) == [found]
