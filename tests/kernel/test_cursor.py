"""Cursors: what a list hands out it reads back; anything else is refused."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle.kernel.cursor import BadCursor, Keyset

FEED = Keyset("feed", {"published_at": datetime, "id": UUID})
PEOPLE = Keyset("people", {"number": int, "name": str})

instants = st.datetimes(timezones=st.just(UTC))


@given(instants, st.uuids())
def test_a_key_survives_the_trip_to_the_microsecond(published_at: datetime, id_: UUID) -> None:
    row = {"published_at": published_at, "id": id_, "title": "ignored"}

    assert FEED.decode(FEED.encode(row)) == {"published_at": published_at, "id": id_}


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.text().filter(lambda text: "\0" not in text))
def test_numbers_and_names_survive_too(number: int, name: str) -> None:
    cursor = PEOPLE.encode({"number": number, "name": name})

    if len(cursor) <= 512:
        assert PEOPLE.decode(cursor) == {"number": number, "name": name}


@given(st.text(max_size=200))
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        FEED.decode(cursor)


def forged(*key: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        PEOPLE.encode({"number": 1, "name": "x"}),
        forged("feed"),
        forged("feed", "2026-01-01T00:00:00+00:00"),
        forged("feed", "2026-01-01T00:00:00", "01890a5d-ac96-774b-bcce-b302099a8057"),
        forged("feed", "2026-02-30T00:00:00+00:00", "01890a5d-ac96-774b-bcce-b302099a8057"),
        forged("feed", 5, "01890a5d-ac96-774b-bcce-b302099a8057"),
        forged("feed", "2026-01-01T00:00:00+00:00", "not an id"),
        forged("feed", ["x"], {}),
        "x" * 600,
    ],
)
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        FEED.decode(cursor)


@pytest.mark.parametrize("number", [2**63, -(2**63), 1.0, True, "1", None])
def test_a_number_must_fit_the_database(number: object) -> None:
    with pytest.raises(BadCursor):
        PEOPLE.decode(forged("people", number, "x"))
