"""Which camps somebody opens, decided without a database."""

from typing import Any

import pytest

from circle.checkins import policy
from circle.checkins.errors import CampLocked
from circle.kernel.errors import CircleError
from circle.memberships.errors import MembershipExpired, NotAMember
from tests.builders.standings import NOW, standing

TIER = "进阶"


@pytest.mark.parametrize(
    ("who", "camp", "refused"),
    [
        ({}, {}, None),
        ({"rank": 1}, {"required_rank": 2}, CampLocked),
        ({"rank": 2}, {"required_rank": 2}, None),
        ({"rank": 0}, {"required_rank": 1, "access_level": "preview"}, None),
        ({"rank": None, "role": "guest"}, {"required_rank": 2}, None),
        # Who joined a camp in paid time keeps it, unless the circle keeps nothing.
        ({"status": "expired"}, {"joined_at": NOW, "required_rank": 2}, None),
        ({"status": "expired"}, {}, MembershipExpired),
        ({"status": "expired", "after_expiry": "none"}, {"joined_at": NOW}, MembershipExpired),
        ({"status": "removed", "joined_at": None}, {}, NotAMember),
    ],
)
def test_which_camps_open(who: dict[str, Any], camp: dict[str, Any], refused: type[CircleError] | None) -> None:
    usual = {
        "access_level": "members",
        "required_rank": None,
        "required_name": TIER,
        "joined_at": None,
        "left_at": None,
    }

    found = policy.seen_from(standing(**who), {**usual, **camp})

    assert found.unlocked is (refused is None)
    if refused is None:
        policy.require_unlocked(found)
        return
    with pytest.raises(refused) as refusal:
        policy.require_unlocked(found)
    assert refusal.value.data == ({"required_tier": TIER} if refused is CampLocked else {})


@pytest.mark.parametrize(
    ("joined_at", "left_at", "joined"), [(None, None, False), (NOW, None, True), (NOW, NOW, False), (None, NOW, False)]
)
def test_who_is_in_a_camp(joined_at: Any, left_at: Any, *, joined: bool) -> None:
    row = {"access_level": "preview", "joined_at": joined_at, "left_at": left_at}

    assert policy.seen_from(standing(), row).joined is joined


def test_who_teaches_sees_every_entry() -> None:
    row = {"access_level": "preview"}
    member, teacher = standing(), standing(role="guest")

    assert policy.reading(policy.seen_from(member, row)) == {"reader_id": member.user_id, "teaches": False}
    assert policy.reading(policy.seen_from(teacher, row)) == {"reader_id": teacher.user_id, "teaches": True}
