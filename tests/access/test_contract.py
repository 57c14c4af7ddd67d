"""The API document is a contract: whatever is sent, the answer is one that the document tells, and never a 5xx.

schemathesis makes up the requests, good ones and bad ones, from the document alone. Seeds are fixed: a failure is there
again in the next run. More of them: `make test-reliability ARGS="-k contract" CONTRACT_EXAMPLES=100`.
"""

import json
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from tests.access.contract import Contract
from tests.access.scene import Scene
from tests.architecture.sources import ROOT

pytestmark = pytest.mark.reliability

# Made up for each operation, beyond the boundaries of every field and the document's own examples. With 3 the
# whole takes 66 s of CPU and with 10 two minutes; what 3 do not find, 10 may.
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "10"))
DOCUMENT = schemathesis.openapi.from_dict(
    json.loads((ROOT / "openapi.json").read_bytes()),
    # Methods that a path does not have are answered by Flask, 405 for all alike.
    config=SchemathesisConfig.from_dict({"phases": {"coverage": {"unexpected-methods": []}}}),
)
DOCUMENT.config.update(base_url="http://circle.test")


@pytest.fixture(scope="module")
def contract(scene: Scene) -> Contract:
    return Contract(scene)


@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_tells(contract: Contract, case: Case) -> None:
    contract.holds(case)
