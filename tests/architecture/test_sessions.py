"""Nothing is kept in a session of PostgreSQL: a pooler gives each transaction whichever session is free.

The cluster's tier wipes sessions after each transaction; this finds what it would not come by. See docs/decisions/0016.
"""

import ast
import re

import pytest

from tests.architecture.sources import modules

KEPT_IN_SESSIONS = re.compile(
    r"pg_(try_)?advisory_(lock|unlock)|\bLISTEN\s+\w|\bNOTIFY\s+\w|CREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP|WITH\s+HOLD"
    r"|set_config\([^)]*,\s*false\s*\)|\bSET\s+SESSION\b|\A\s*SET\s+(?!LOCAL\b|TRANSACTION\b)\w+\s*(=|TO\b)"
    r"|\A\s*PREPARE\s+\w|\A\s*DEALLOCATE\b",
)
# Besides migrations, which refuse a pooler.
ITSELF = {"circle/testmode.py": "a drain is alone for as long as it runs; test mode is for one machine"}


def test_no_statement_keeps_anything_in_a_session_unlisted() -> None:
    found = {
        str(path)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.Attribute)
        and KEPT_IN_SESSIONS.search(str(node.value) if isinstance(node, ast.Constant) else node.attr)
    }

    assert found == set(ITSELF)


@pytest.mark.parametrize(
    "statement",
    ["SELECT pg_advisory_lock(1)", "LISTEN news", "SET timezone = 'UTC'", "SELECT set_config('a', 'b', false)"],
)
def test_what_is_kept_in_a_session_is_seen(statement: str) -> None:
    assert KEPT_IN_SESSIONS.search(statement)


@pytest.mark.parametrize(
    "statement",
    ["SELECT pg_advisory_xact_lock(1)", "SET LOCAL statement_timeout = 0", "UPDATE posts SET title = 'x'"],
)
def test_what_ends_with_its_transaction_is_not(statement: str) -> None:
    assert not KEPT_IN_SESSIONS.search(statement)
