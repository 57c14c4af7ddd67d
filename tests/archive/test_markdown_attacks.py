"""Somebody's text in feeds and books is never a program: read as browsers do, by Chromium in the reliability tier."""

from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest

from circle.archive.exporting.epub import Book
from circle.archive.exporting.pieces import Piece
from circle.archive.feeds import _html
from circle.archive.rendering import is_safe_link
from tests.archive.attacks import (
    ATTACKS,
    ELEMENTS,
    PLACES,
    SECOND_SIGHT,
    chromium,
    inspection,
    more_than_markdown,
    more_than_markdown_in,
    seen_by_chromium,
)
from tests.conftest import START

SITE = "https://circle.example"
TEXTS = ATTACKS + SECOND_SIGHT


def in_a_feed(text: str) -> str:
    return _html({"body": text, "question": None}, SITE)


def in_a_book(text: str) -> str:
    """The chapter's page, with the attack for a title and an author too."""
    book = Book(lambda _file: iter(()), language="en", key=uuid4(), at=START)
    piece = Piece(path="a/b", title=text, text=text, at=START, head={"author": text}, files=[], links={})
    try:
        return book._chapter(piece, "text/a-b.xhtml", {})
    finally:
        book.close()


@pytest.mark.parametrize("attack", TEXTS)
def test_a_feed_holds_nothing_but_markdown(attack: str) -> None:
    assert more_than_markdown(in_a_feed(attack)) == []


@pytest.mark.parametrize("attack", TEXTS)
def test_whoever_shows_a_feed_shows_nothing_but_markdown(attack: str) -> None:
    """As browsers read it, wherever it is put, and as they read what they have written out."""
    assert [found for place in PLACES if (found := more_than_markdown_in(place, in_a_feed(attack)))] == []


@pytest.mark.parametrize("place", PLACES)
def test_a_text_that_is_trusted_is_noticed_there(place: str) -> None:
    """The mutant: the same texts, put there as they are."""
    noticed = [bool(more_than_markdown_in(place, one)) for one in TEXTS if one.startswith("<")]

    # What is put into a text area, or into what browsers skip, has to end that first.
    assert sum(noticed) > (0 if place in PLACES[-2:] else 0.8 * len(noticed))


@pytest.mark.parametrize("attack", TEXTS)
def test_a_book_is_well_formed_and_holds_nothing_but_markdown(attack: str) -> None:
    page = ET.fromstring(in_a_book(attack).replace("<!DOCTYPE html>", ""))  # noqa: S314 - our own page
    body = page.find("{http://www.w3.org/1999/xhtml}body")

    assert body is not None
    names = {one.tag.rpartition("}")[2] for one in body.iter()} - {"body"}
    assert names <= ELEMENTS
    assert not [name for one in body.iter() for name in one.attrib if name.startswith("on")]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:1",
        "JAVASCRIPT:1",
        "vbscript:1",
        "data:text/html,1",
        "file:///etc",
        "blob:x",
        "intent://x",
        "//[",
        "x",
    ],
)
def test_nobody_is_led_there(address: str) -> None:
    assert not is_safe_link(address)


@pytest.mark.reliability
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (Debian: apt install chromium)")
class TestInChromium:
    """What a browser makes of it, which no parser has to guess; without a content security policy, as in readers."""

    def test_a_feed_runs_nothing(self, tmp_path: Path) -> None:
        entries = "".join(f'<div data-frame="{n}">{in_a_feed(one)}</div>' for n, one in enumerate(TEXTS))

        assert self._look(tmp_path, "feed.html", self._page(entries)) == {"ran": False, "found": []}

    def test_a_book_runs_nothing(self, tmp_path: Path) -> None:
        """All chapters in one page: it is XML, so that none of them could end its own part early."""
        chapters = [in_a_book(one).partition("<body>")[2].partition("</body>")[0] for one in TEXTS]
        framed = "".join(f'<div data-frame="{number}">{chapter}</div>' for number, chapter in enumerate(chapters))
        head = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>'

        page = f"{head}{framed}{inspection(allowed=ELEMENTS)}</body></html>"

        assert self._look(tmp_path, "chapters.xhtml", page) == {"ran": False, "found": []}

    def test_a_page_that_trusts_its_text_is_caught(self, tmp_path: Path) -> None:
        """The mutant: the same texts, not rendered but put there as they are."""
        seen = self._look(tmp_path, "trusting.html", self._page("".join(ATTACKS[4:8])))

        assert seen["ran"]
        assert seen["found"]

    @staticmethod
    def _page(content: str) -> str:
        return f"<!DOCTYPE html><html><body>{content}{inspection(allowed=ELEMENTS)}</body></html>"

    @staticmethod
    def _look(folder: Path, name: str, content: str) -> Any:
        page = folder / name
        page.write_text(content, encoding="utf-8", errors="replace")
        return seen_by_chromium(page, folder / "profile")
