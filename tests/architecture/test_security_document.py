"""docs/security.md names tests that exist, and holds what it says about the code itself."""

import ast
import re
from functools import cache

import pytest

from tests.architecture.sources import ROOT, calls, imports, modules

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)+test_\w+\.py(?:::\w+)?)`", DOCUMENT)))

# Who talks to the outside, and where the addresses come from; whatever else wants to needs its line here.
CALLS_THE_OUTSIDE = {
    "circle/accounts/wechat.py": "WECHAT_BASE_URL",
    "circle/notifications/channels.py": "MAIL_URL, SMS_URL",
    "circle/notifications/hooks.py": "a member's address, which has to be public",
    "circle/billing/providers/stripe.py": "Stripe",
    "circle/billing/providers/stripe_words.py": "names of its objects",
    "circle/media/boto.py": "S3_ENDPOINT",
    "circle/web/standby.py": "hangs up connections to READ_DATABASE_URL, and opens none",
}
_CLIENTS = {
    "httpx",
    "requests",
    "urllib3",
    "http.client",
    "urllib.request",
    "smtplib",
    "ftplib",
    "socket",
    "stripe",
    "boto3",
}
_OUR_OWN_PROCESSES = ("circle/embedded/", "circle/cli", "circle/demo", "workers/")
_XML = {"lxml", "xml.sax", "xml.dom", "defusedxml"}
_PARSERS = {f"ET.{name}" for name in ("fromstring", "parse", "XML", "iterparse", "XMLParser")}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    path, _, test = name.partition("::")

    assert (ROOT / "tests" / path).is_file()
    assert not test or test in names_in(path)


def test_the_document_names_tests() -> None:
    assert len(NAMED) > 60


def test_only_known_modules_call_the_outside() -> None:
    calling = {
        str(path)
        for path, tree in modules().items()
        if not str(path).startswith(_OUR_OWN_PROCESSES)
        if any(name == client or name.startswith(f"{client}.") for name in imports(tree) for client in _CLIENTS)
    }

    assert calling == set(CALLS_THE_OUTSIDE)


def test_no_xml_is_read() -> None:
    """Feeds are written with ElementTree; nothing parses."""
    for path, tree in modules().items():
        assert not _XML & set(imports(tree)), path
        assert not {name for name, _line in calls(tree)} & _PARSERS, path
