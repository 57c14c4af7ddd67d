"""What a pooler would drop is looked for: where it is missing, a release refuses and the doctor complains."""

from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from circle.checks import sessions_are_as_wanted
from circle.database import DIRECT, BehindPooler, require_direct
from circle.kernel.uow import Units


def test_a_release_refuses_a_connection_that_was_not_given_what_it_asked_for(database_url: str) -> None:
    # As through a pooler, which drops the options.
    with create_engine(database_url, poolclass=NullPool).connect() as connection, pytest.raises(BehindPooler):
        require_direct(connection)

    asking = {"options": f"-c {DIRECT}=on"}
    with create_engine(database_url, poolclass=NullPool, connect_args=asking).connect() as connection:
        require_direct(connection)


def test_the_doctor_sees_sessions_without_zone_and_limit(units: Units, sql: Any) -> None:
    sql("SET LOCAL timezone = 'UTC'")
    sql("SET LOCAL statement_timeout = '10s'")
    assert sessions_are_as_wanted(units) is None

    sql("SET LOCAL timezone = 'Asia/Shanghai'")
    sql("SET LOCAL statement_timeout = 0")
    complaint = str(sessions_are_as_wanted(units))
    assert "Asia/Shanghai" in complaint
    assert "no time limit" in complaint
