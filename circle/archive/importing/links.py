"""Links between files become links between posts; everything else in the text stays as it was."""

import posixpath
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote

from circle.archive.importing.prose import lines_of

# Code spans come first, so that a link shown as code is passed over whole.
_DESTINATION = re.compile(
    r"(?P<code>(?P<ticks>`++).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<before>\]\(\s{0,10}<)(?P<angled>[^<>\n]++)(?=>)"
    r"|(?P<before_plain>\]\(\s{0,10})(?P<plain>[^\s<>()]++(?:\([^\s<>()]*+\)[^\s<>()]*+)*+)"
    r"|(?P<before_ref>^ {0,3}\[[^\[\]\n]{1,300}\]:\s{1,10})(?P<ref>[^\s<>]++)"
    r"|(?P<before_href><a\s[^<>]{0,300}?href=\")(?P<href>[^\"<>\n]++)(?=\")"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_SUFFIX = re.compile(r"\.(md|markdown|mdown|html?)$", re.IGNORECASE)
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,300}\]\(\s{0,10}(?:<(?P<angled>[^<>\n]++)>|(?P<plain>[^\s<>()]++))")
_PAGES = (".md", ".markdown", ".mdown", "/README.md", "/readme.md", "/index.md", "/_index.md")

# From a file's path to where its post is found, or None.
Find = Callable[[str], str | None]


class Links:
    """Rewrites the links of one archive.

    `roots` are folders that a leading slash may stand for; `site` is the address that the articles had before, so that
    full links to it are known too.
    """

    def __init__(self, find: Find, *, roots: tuple[str, ...] = ("",), site: str = "") -> None:
        self._find = find
        self._roots = roots
        self._site = site.rstrip("/")

    def rewrite(self, text: str, path: str) -> str:
        """Return the text of the file `path` with links to known files pointing at their posts."""
        if "](" not in text and "]:" not in text and "href=" not in text:
            return text
        return "".join(
            self._line(line, path) if is_prose and ("](" in line or "]:" in line or "href=" in line) else line
            for line, is_prose in lines_of(text)
        )

    def resolve(self, destination: str, path: str) -> str | None:
        """Return where a link in the file `path` leads now; None where it stays as it is."""
        if self._site and destination.startswith(f"{self._site}/"):
            destination = destination.removeprefix(self._site)
        elif _SCHEME.match(destination):
            return None
        target, mark, anchor = _split(destination)
        if not target:
            return None
        for place in self._places(unquote(target), path):
            for page in _spellings(place):
                found = self._find(page)
                if found is not None:
                    return f"{found}{mark}{anchor}" if mark == "#" else found
        return None

    def _line(self, line: str, path: str) -> str:
        def replace(found: re.Match[str]) -> str:
            for kind, before in (
                ("angled", "before"),
                ("plain", "before_plain"),
                ("ref", "before_ref"),
                ("href", "before_href"),
            ):
                if found[kind] is not None:
                    leads_to = self.resolve(found[kind], path)
                    return found[before] + (leads_to if leads_to is not None else found[kind])
            return found[0]

        return _DESTINATION.sub(replace, line)

    def _places(self, target: str, path: str) -> list[str]:
        target = unicodedata.normalize("NFC", target)
        if target.startswith("/"):
            return [posixpath.normpath(posixpath.join(root, target.lstrip("/"))) for root in self._roots]
        return [posixpath.normpath(posixpath.join(posixpath.dirname(path), target))]


def local_images(text: str) -> list[str]:
    """Return images that stand beside the text and not on some server."""
    found = (
        match["angled"] or match["plain"]
        for line, is_prose in lines_of(text)
        if is_prose and "![" in line
        for match in _IMAGE.finditer(line)
    )
    return [image for image in found if not _SCHEME.match(image)]


def _split(destination: str) -> tuple[str, str, str]:
    for mark in "#?":
        target, found, rest = destination.partition(mark)
        if found:
            return target.partition("?")[0], mark, rest
    return destination, "", ""


def _spellings(place: str) -> list[str]:
    """Return the files that a link may mean: as it stands, as a built page, or as the folder's first page."""
    if place.startswith(".."):
        return []
    if place == ".":
        return [page.removeprefix("/") for page in _PAGES if page.startswith("/")]
    base = _SUFFIX.sub("", place)
    return [place, *(f"{base}{page}" for page in _PAGES)]
