"""docs/billing.md shows the state machines as they are."""

import re
from pathlib import Path

import pytest

from circle.billing.states import MACHINES

DOCUMENT = Path(__file__).parents[2] / "docs" / "billing.md"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_the_diagrams_are_fresh(machine: object) -> None:
    blocks = dict(re.findall(r"<!-- machine: (\w+) -->\n```mermaid\n(.*?)\n```", DOCUMENT.read_text(), re.DOTALL))

    assert blocks[machine.name] == machine.mermaid()  # type: ignore[attr-defined]
