"""Who sees whose work, decided without a database: every kind of visibility, at every edge of a time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from circle.homework import policy
from circle.homework.models import Assignment, Submission, Visibility, Work
from circle.homework.policy import SeenAssignment, SeenSubmission
from circle.kernel.errors import CircleError
from circle.memberships.errors import MembershipExpired, NotAMember
from tests.builders.standings import NOW, standing

INSTANT = timedelta(microseconds=1)
FIRST, SECOND = UUID(int=11), UUID(int=12)


def seen(
    visibility: str = "always",
    *,
    role: str = "member",
    unlocked: bool = True,
    own: Work | None = None,
    **what: Any,
) -> SeenAssignment:
    usual = {"visibility": visibility, "due_at": NOW, "peer_reviewers": 0, "peer_anonymous": False}
    return SeenAssignment(
        standing=standing(role=role),
        assignment=Assignment(**{**usual, **what}),
        own=own,
        required_tier_name=None,
        required_rank=None,
        unlocked=unlocked,
        addressed=True,
    )


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (seen("always"), True),
        (seen("always", unlocked=False), False),
        (seen("never"), False),
        (seen("never", role="guest", unlocked=False), True),
        (seen("after_submission"), False),
        (seen("after_submission", own=Work(attempts=0)), False),
        (seen("after_submission", own=Work(attempts=1)), True),
        (seen("after_due"), True),
        (seen("after_due", due_at=NOW + INSTANT), False),
        (seen("after_due", due_at=None), False),
        # An extension keeps the others' work away for as long.
        (seen("after_due", own=Work(due_at=NOW + INSTANT)), False),
        # Nobody's extension ends before everybody's due time, postponed after it was given.
        (seen("after_due", due_at=NOW + INSTANT, own=Work(due_at=NOW)), False),
    ],
)
def test_who_sees_what_others_handed_in(found: SeenAssignment, *, shown: bool) -> None:
    assert policy.may_see_others(found, NOW) is shown
    assert {one.value for one in Visibility} == {"never", "after_submission", "after_due", "always"}


@pytest.mark.parametrize(
    ("what", "role", "hidden"),
    [
        ({"peer_reviewers": 1, "peer_anonymous": True}, "member", True),
        ({"peer_reviewers": 2, "peer_anonymous": True}, "guest", False),
        ({"peer_reviewers": 1, "peer_anonymous": False}, "member", False),
        ({"peer_reviewers": 0, "peer_anonymous": True}, "member", False),
    ],
)
def test_peers_who_shall_not_know_of_each_other(what: dict[str, Any], role: str, *, hidden: bool) -> None:
    found = seen(role=role, **what)
    submission = Submission(id=FIRST)

    def shown(*, is_own: bool = False, showcased: UUID | None = None) -> bool:
        return SeenSubmission(found, submission, Work(showcased_id=showcased), is_own, is_peer=True).hides_author

    assert policy.hides_peers(found) is hidden
    assert shown() is hidden
    assert shown(showcased=SECOND) is hidden
    assert not shown(is_own=True)
    assert not shown(showcased=FIRST)


@pytest.mark.parametrize(
    ("what", "refused"),
    [
        ({}, None),
        ({"status": "expired", "after_expiry": "paid_term"}, None),
        ({"status": "expired", "after_expiry": "none"}, MembershipExpired),
        ({"rank": None, "after_expiry": "none"}, MembershipExpired),
        ({"status": "left", "after_expiry": "none"}, NotAMember),
        ({"status": "removed"}, NotAMember),
        ({"status": None, "role": None}, NotAMember),
    ],
)
def test_who_lists_homework(what: dict[str, Any], refused: type[CircleError] | None) -> None:
    found = standing(**what)
    if refused is None:
        assert policy.require_reader(found) is found
        return

    with pytest.raises(refused):
        policy.require_reader(found)


def test_what_a_reader_of_homework_brings_along() -> None:
    teacher, never = standing(role="guest"), standing(joined_at=None)

    assert policy.reading(teacher) == {
        **teacher.reading(),
        "teaches": True,
        "reader_joined_at": NOW - timedelta(days=9),
        "now": NOW,
    }
    assert (policy.reading(never)["teaches"], policy.reading(never)["reader_joined_at"].year) == (False, 1)
