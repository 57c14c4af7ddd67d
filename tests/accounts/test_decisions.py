"""What the row of a credential makes of its caller, at every edge of a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from circle.accounts.policy import caller_from
from circle.kernel.caller import Caller

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
TEN_MINUTES, TEN_SECONDS = timedelta(minutes=10), timedelta(seconds=10)
ROW = {
    "user_id": UUID(int=1),
    "display_name": "小明",
    "avatar_media_id": UUID(int=2),
    "session_id": UUID(int=3),
    "token_id": None,
    "scopes": None,
    "is_operator": True,
    "last_seen_at": NOW,
    "wrote_at": None,
}


@pytest.mark.parametrize(
    ("row", "unseen", "wrote"),
    [
        ({}, False, False),
        ({"last_seen_at": None}, True, False),
        ({"last_seen_at": NOW - TEN_MINUTES}, False, False),
        ({"last_seen_at": NOW - TEN_MINUTES - INSTANT}, True, False),
        ({"wrote_at": NOW}, False, True),
        ({"wrote_at": NOW - TEN_SECONDS + INSTANT}, False, True),
        ({"wrote_at": NOW - TEN_SECONDS}, False, False),
    ],
)
def test_when_somebody_was_seen_and_wrote(row: dict[str, Any], *, unseen: bool, wrote: bool) -> None:
    caller = caller_from({**ROW, **row}, NOW)

    assert (caller.unseen, caller.wrote_lately) == (unseen, wrote)


def test_a_caller_is_what_the_row_says() -> None:
    session = Caller(UUID(int=1), "小明", UUID(int=2), UUID(int=3), None, None, is_operator=True)
    token = {"session_id": None, "token_id": UUID(int=4), "scopes": ["read"], "is_operator": False}

    assert caller_from(ROW, NOW) == session
    assert caller_from({**ROW, **token}, NOW) == Caller(
        UUID(int=1), "小明", UUID(int=2), None, UUID(int=4), frozenset({"read"}), is_operator=False
    )
