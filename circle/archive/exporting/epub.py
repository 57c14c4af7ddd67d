"""A member's export as a book: EPUB 3.3, a chapter a text, pictures in it. Checked by EPUBCheck in the tests.

Source: https://www.w3.org/TR/epub-33/
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, urlsplit
from uuid import UUID

from circle.archive.exporting.markdown import Fetch
from circle.archive.exporting.packing import Spool, ZipStream
from circle.archive.exporting.pieces import Piece
from circle.archive.exporting.wording import say
from circle.archive.rendering import as_html, xml_text
from circle.kernel.text import Language

_MIMETYPE = "application/epub+zip"
# Pictures that every reader shows (core media types).
_PICTURES = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
_ADDRESS = re.compile(r"/(posts|v1/media)/([0-9a-f-]{36})")
_ROOT = "EPUB"
# Where the list of chapters goes in its page: no text of a page can hold it.
_HERE = "<!-- chapters -->"
_CONTAINER = f"""<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="{_ROOT}/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_STYLE = """body { line-height: 1.6; margin: 0 5%; }
img { max-width: 100%; }
blockquote { border-left: 0.2em solid #ccc; margin-left: 0; padding-left: 1em; }
pre { white-space: pre-wrap; }
.about { color: #666; font-size: 0.85em; }
table { border-collapse: collapse; }
td, th { border: 1px solid #ccc; padding: 0.2em 0.5em; }
"""


class Book:
    """Writes pieces as chapters. Links between texts of the book stay in it, others lead to the web."""

    content_type = _MIMETYPE
    ending = "epub"

    def __init__(self, fetch: Fetch, *, language: Language, key: UUID, at: datetime) -> None:
        self._zip = ZipStream()
        self._fetch = fetch
        self._language = language
        self._key, self._at = key, at
        self._manifest, self._spine = Spool(), Spool()
        # Parts of the table of contents, each with its chapters.
        self._parts: list[tuple[str, Spool]] = []
        self._is_begun = False

    def close(self) -> None:
        self._zip.close()
        for spool in (self._manifest, self._spine, *(chapters for _name, chapters in self._parts)):
            spool.close()

    def section(self, name: str) -> None:
        """Begin a part of the table of contents; one that stays empty is left out at the end."""
        self._parts.append((name, Spool()))

    def add(self, piece: Piece) -> Iterator[bytes]:
        """Write one chapter and the pictures in it."""
        yield from self._begin()
        shown = {}
        for file in piece.files:
            if file.content_type in _PICTURES:
                path = f"media/{file.id}.{_PICTURES[file.content_type]}"
                yield from self._zip.file(f"{_ROOT}/{path}", self._fetch(file), piece.at)
                self._item(f"m{file.id.hex}", path, file.content_type)
                shown[file.id] = path
        path, item = f"{_chapter_of(piece.path)}", f"c{self._spine.lines}"
        yield from self._zip.text(f"{_ROOT}/{path}", self._chapter(piece, path, shown), piece.at)
        self._item(item, path, "application/xhtml+xml")
        self._spine.add(f'<itemref idref="{item}"/>\n')
        self._parts[-1][1].add(f'<li><a href="{path}">{_words(piece.title)}</a></li>\n')

    def end(self, title: str, about: str, at: datetime) -> Iterator[bytes]:
        yield from self._begin()
        yield from self._zip.text(f"{_ROOT}/style.css", _STYLE, at)
        yield from self._zip.text(f"{_ROOT}/about.xhtml", self._page(title, f"<p>{_words(about)}</p>", ""), at)
        yield from self._zip.file(f"{_ROOT}/nav.xhtml", self._contents(title), at, packed=True)
        yield from self._zip.file(f"{_ROOT}/package.opf", self._package(title, at), at, packed=True)
        yield from self._zip.end()

    def _begin(self) -> Iterator[bytes]:
        if not self._is_begun:
            self._is_begun = True
            yield from self._zip.text("mimetype", _MIMETYPE, self._at, packed=False)
            yield from self._zip.text("META-INF/container.xml", _CONTAINER, self._at)

    def _item(self, item: str, path: str, content_type: str) -> None:
        self._manifest.add(f'<item id="{item}" href="{path}" media-type="{content_type}"/>\n')

    def _chapter(self, piece: Piece, path: str, shown: Mapping[UUID, str]) -> str:
        folder = posixpath.dirname(path)

        def place(address: str) -> str | None:
            found = _ADDRESS.fullmatch(address)
            if found is None:
                return None
            target = shown.get(UUID(found[2])) if found[1] != "posts" else piece.links.get(UUID(found[2]))
            if target is None:
                return None
            return posixpath.relpath(_chapter_of(target) if found[1] == "posts" else target, folder)

        def link(address: str) -> str | None:
            return place(address) or (quote(address, safe=_URL_SAFE) if _is_web(address) else None)

        def picture(address: str) -> str | None:
            return place(address) if address.startswith("/v1/media/") else None

        author, day = piece.head.get("author"), f"{piece.at:%Y-%m-%d}"
        about = f'<p class="about">{_words(f"{author} · {day}" if author else day)}</p>'
        body = as_html(piece.text, link=link, picture=picture)
        return self._page(piece.title, f"{about}\n{body}", posixpath.relpath("style.css", folder))

    def _page(self, title: str, body: str, style: str) -> str:
        sheet = f'<link rel="stylesheet" type="text/css" href="{style or "style.css"}"/>'
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
            f'<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
            f'lang="{self._language}" xml:lang="{self._language}">\n'
            f"<head><title>{_words(title)}</title>{sheet}</head>\n<body>\n<h1>{_words(title)}</h1>\n{body}\n</body>\n</html>\n"
        )

    def _contents(self, title: str) -> Iterator[bytes]:
        """Yield the table of contents: a list of parts, each with its chapters."""
        heading = say("contents", self._language)
        nav = f'<nav epub:type="toc" id="toc"><h2>{heading}</h2><ol>{_HERE}</ol></nav>'
        before, after = self._page(title, nav, "").split(_HERE)
        yield f'{before}\n<li><a href="about.xhtml">{_words(title)}</a></li>\n'.encode()
        for name, chapters in self._parts:
            if chapters.lines:
                yield f"<li><span>{_words(say(name, self._language))}</span><ol>\n".encode()
                yield from chapters.chunks()
                yield b"</ol></li>\n"
        yield after.encode()

    def _package(self, title: str, at: datetime) -> Iterator[bytes]:
        yield f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="key" xml:lang="{self._language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="key">urn:uuid:{self._key}</dc:identifier>
<dc:title>{_words(title)}</dc:title>
<dc:language>{self._language}</dc:language>
<meta property="dcterms:modified">{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="about" href="about.xhtml" media-type="application/xhtml+xml"/>
<item id="style" href="style.css" media-type="text/css"/>
""".encode()
        yield from self._manifest.chunks()
        yield b'</manifest>\n<spine>\n<itemref idref="about"/>\n'
        yield from self._spine.chunks()
        yield b"</spine>\n</package>\n"


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _chapter_of(path: str) -> str:
    """Return a chapter's place: plain letters only, which every reader takes; ids keep names apart."""
    folder, _, name = path.rpartition("/")
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", f"{folder}-{name}").strip("-")
    return f"text/{plain}.xhtml"


def _words(text: str) -> str:
    return escape(xml_text(" ".join(text.split())))
