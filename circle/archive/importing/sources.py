"""Folders and ZIP files of Markdown: names first, then one file at a time, within limits that a bomb can't pass."""

import os
import posixpath
import re
import stat
import struct
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from circle.archive.importing.faults import ArchiveRefused, BadFile

MOST_FILES = 100_000
# Bytes of one file: an article of the longest length that a setting may sensibly allow, with its front matter.
MOST_FILE_BYTES = 4 * 1024 * 1024
MOST_TOTAL_BYTES = 2 * 1024 * 1024 * 1024
# Text packs 3 to 20 times; a whole archive beyond this is made of repetition.
MOST_RATIO = 200
# Below so many bytes a ratio says nothing.
RATIO_COUNTS_FROM = 16 * 1024 * 1024
# A ZIP's table of contents is held in memory; 100,000 entries with long names stay below this.
_MOST_DIRECTORY_BYTES = 32 * 1024 * 1024

# What opening a ZIP, and reading an entry, raise where it is damaged, encrypted, or made to break readers: numbers lead
# beyond the file or beyond what a number may be, names are not in the encoding that they say.
DAMAGED = (
    *(BadZipFile, zlib.error, LZMAError, struct.error, NotImplementedError, EOFError, RuntimeError, OSError),
    *(ValueError, OverflowError),
)
_CHUNK = 256 * 1024
_SUFFIXES = (".md", ".markdown", ".mdown")
_NOT_CONTENT = frozenset({"__MACOSX", "node_modules"})
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_DIGITS = re.compile(r"(\d+)")
_FIRST = frozenset({"readme", "index", "_index"})


@dataclass(frozen=True, slots=True)
class Takes:
    """Which files of a tree an import looks at, and how many bytes of one; None: those of an article."""

    suffixes: tuple[str, ...]
    most_bytes: int | None = None

    def takes(self, path: str) -> bool:
        return path.lower().endswith(self.suffixes) and all(is_content(part) for part in path.split("/"))

    def bounded(self, opened: IO[bytes], size: int) -> bytes:
        return read_bounded(opened, size, self.most_bytes or MOST_FILE_BYTES)


MARKDOWN = Takes((".md", ".markdown", ".mdown"))


class Source(Protocol):
    """A tree of files of one kind. Paths have forward slashes and are in NFC."""

    name: str
    paths: list[str]
    # Of the files that are no documents: how many bytes each has.
    others: dict[str, int]

    def read(self, path: str) -> bytes:
        """Return one file's bytes. Errors: BadFile."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of one of the others, and no more than were told. Errors: BadFile."""


@contextmanager
def open_source(place: str | Path, name: str | None = None, takes: Takes = MARKDOWN) -> Iterator[Source]:
    """Open a folder or a ZIP file, which had another `name` before; `paths` are in reading order.

    Errors: ArchiveRefused.
    """
    path = Path(place)
    if path.is_dir():
        yield FolderSource(path, takes)
        return
    if takes.takes(path.name):
        yield FileSource(path, takes)
        return
    with open_zip(path) as archive:
        yield ZipSource(archive, name or path.name, takes)


@contextmanager
def open_zip(path: Path, *, times: int = 1) -> Iterator[ZipFile]:
    """Open a ZIP file; `times` as in `refuse_huge_directory`. Errors: ArchiveRefused."""
    with ExitStack() as held:
        try:
            file = held.enter_context(path.open("rb"))
            refuse_huge_directory(file, times=times)
            archive = held.enter_context(ZipFile(file))
        except DAMAGED as error:
            raise ArchiveRefused.because_of("不是有效的 ZIP 文件。", "It is not a valid ZIP file.") from error
        yield archive


class FileSource:
    """A single file on this machine."""

    def __init__(self, path: Path, takes: Takes) -> None:
        self.name = path.stem
        self.paths = [path.name]
        self.others: dict[str, int] = {}
        self._path, self._takes = path, takes

    def read(self, path: str) -> bytes:
        try:
            with self._path.open("rb") as opened:
                return self._takes.bounded(opened, self._path.stat().st_size)
        except OSError as error:
            raise BadFile("unreadable", problem=error.strerror or path) from error

    def chunks(self, path: str) -> Iterator[bytes]:
        raise BadFile("unreadable", problem=path)


class FolderSource:
    """A folder on this machine; symbolic links are not followed."""

    def __init__(self, root: Path, takes: Takes = MARKDOWN) -> None:
        self.name = root.resolve().name
        self._root, self._takes = root, takes
        self._files: dict[str, Path] = {}
        self.others: dict[str, int] = {}
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if is_content(name)]
            for name in files:
                file = Path(folder, name)
                path = _printable(_decode_name(os.fsencode(file.relative_to(root).as_posix())))
                if takes.takes(path):
                    self._files[path] = file
                elif is_content(name) and file.is_file() and not file.is_symlink():
                    self._files[path], self.others[path] = file, file.stat().st_size
            refuse_too_many(len(self._files))
        self.paths = in_reading_order(path for path in self._files if path not in self.others)

    def read(self, path: str) -> bytes:
        file = self._files[path]
        if file.is_symlink():
            raise BadFile("is_link")
        if not file.is_file():
            raise BadFile("unreadable", problem="not a file")
        try:
            with file.open("rb") as opened:
                return self._takes.bounded(opened, file.stat().st_size)
        except OSError as error:
            raise BadFile("unreadable", problem=error.strerror or "") from error

    def chunks(self, path: str) -> Iterator[bytes]:
        try:
            with self._files[path].open("rb") as opened:
                yield from _bounded(opened, self.others[path])
        except OSError as error:
            raise BadFile("unreadable", problem=error.strerror or "") from error


class ZipSource:
    """A ZIP file; the folder that has the archive's own name and wraps everything is left out of paths."""

    def __init__(self, archive: ZipFile, name: str, takes: Takes = MARKDOWN) -> None:
        self.name = PurePosixPath(name).stem
        self._archive, self._takes = archive, takes
        infos = archive.infolist()
        refuse_too_many(len(infos))
        known = {path: info for info in infos if (path := entry_path(info)) is not None}
        files = {path: info for path, info in known.items() if takes.takes(path)}
        _refuse_bomb(list(files.values()))
        beside = {path: info for path, info in known.items() if path not in files and _is_plain(path, info)}
        wrapper = f"{unicodedata.normalize('NFC', self.name)}/"
        if all(path.startswith(wrapper) for path in files):
            files = {path.removeprefix(wrapper): info for path, info in files.items()}
            beside = {path.removeprefix(wrapper): info for path, info in beside.items()}
        self._infos, self._beside = files, beside
        self.others = {path: info.file_size for path, info in beside.items()}
        self.paths = in_reading_order(files)

    def read(self, path: str) -> bytes:
        info = self._infos[path]
        if stat.S_ISLNK(info.external_attr >> 16):
            raise BadFile("is_link")
        if info.flag_bits & _ENCRYPTED:
            raise BadFile("unreadable", problem="encrypted")
        try:
            with self._archive.open(info) as opened:
                return self._takes.bounded(opened, info.file_size)
        except DAMAGED as error:
            raise BadFile("unreadable", problem=str(error)[:200]) from error

    def chunks(self, path: str) -> Iterator[bytes]:
        try:
            with self._archive.open(self._beside[path]) as opened:
                yield from _bounded(opened, self.others[path])
        except DAMAGED as error:
            raise BadFile("unreadable", problem=str(error)[:200]) from error


def _is_plain(path: str, info: ZipInfo) -> bool:
    """Whether an entry is a file that can be copied, and no bomb by itself."""
    is_bomb = info.file_size > RATIO_COUNTS_FROM and info.file_size > info.compress_size * MOST_RATIO
    is_readable = not (stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & _ENCRYPTED or is_bomb)
    return is_readable and all(is_content(part) for part in path.split("/"))


def _bounded(opened: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := opened.read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk


def read_bounded(opened: IO[bytes], size: int, most: int) -> bytes:
    """Return the bytes; what a header says of their number is believed only as far as it refuses."""
    content = b"" if size > most else opened.read(most + 1)
    if size > most or len(content) > most:
        raise BadFile("file_too_large", size=max(size, len(content)), most=most)
    return content


def is_markdown(path: str) -> bool:
    return path.lower().endswith(_SUFFIXES) and all(is_content(part) for part in path.split("/"))


def is_content(name: str) -> bool:
    """Whether a file or folder of this name is something people wrote, not a tool's own."""
    return not name.startswith(".") and name not in _NOT_CONTENT


def in_reading_order(paths: Iterable[str]) -> list[str]:
    """Return paths with files before folders, README and index first, numbers by their value.

    Folder by folder: sort keys of 100,000 files at once would take more memory than their names.
    """
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        folders[posixpath.dirname(path)].append(path)
    in_order = sorted(folders, key=lambda folder: [_natural(part) for part in folder.split("/")] if folder else [])
    return [path for folder in in_order for path in sorted(folders[folder], key=_order_of_name)]


def _order_of_name(path: str) -> tuple[tuple[int, int, str], ...]:
    return _natural(posixpath.basename(path))


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    stem = name.lower().rpartition(".")[0] or name.lower()
    if stem in _FIRST:
        return ((-1, 0, stem),)
    pieces = (piece for piece in _DIGITS.split(name.lower()) if piece)
    # Longer rows of digits than any number that counts chapters are compared as text.
    return tuple((0, int(p), "") if p.isdecimal() and len(p) < 20 else (1, 0, p) for p in pieces)  # noqa: PLR2004


def refuse_too_many(count: int) -> None:
    if count > MOST_FILES:
        raise ArchiveRefused.because_of(f"文件超过 {MOST_FILES} 个。", f"It has more than {MOST_FILES} files.")


def entry_path(info: ZipInfo) -> str | None:
    """Return an entry's path; None for a folder. Errors: ArchiveRefused for a path that leads out."""
    path = _printable(_name_of(info)).replace("\\", "/")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", path):
        raise ArchiveRefused.because_of("压缩包含有指向外部的路径。", "It has a path that leads out of the archive.")
    if path.endswith("/"):
        return None
    # The name itself, where it is in order: a copy of each would take as much memory again.
    return (
        path if not {"", "."}.intersection(parts) else "/".join(part for part in parts if part not in {"", "."}) or None
    )


def _name_of(info: ZipInfo) -> str:
    """Return the name; ZIPs made by Chinese Windows hold GB18030 and say nothing about it."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    return _decode_name(info.filename.encode("cp437", "replace"))


def _decode_name(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def _printable(name: str) -> str:
    """Return the name in NFC, without what would steer the terminal that a report is printed on."""
    name = unicodedata.normalize("NFC", name)
    return name if name.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in name)


def _refuse_bomb(infos: list[ZipInfo]) -> None:
    unpacked, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if unpacked > MOST_TOTAL_BYTES:
        raise ArchiveRefused.because_of("解压后过大。", "It is too large when unpacked.")
    if unpacked > RATIO_COUNTS_FROM and unpacked > packed * MOST_RATIO:
        raise ArchiveRefused.because_of("压缩比异常。", "Its compression ratio is that of a bomb.")


def refuse_huge_directory(file: IO[bytes], *, times: int = 1) -> None:
    """Read the end record before `zipfile` loads the whole table of contents. Source: APPNOTE 4.3.14 to 4.3.16.

    `times`: so many times more than of Markdown may be in it.
    """
    end_length, locator_length = 22, 20
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - end_length - locator_length - 65_535))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + end_length:
        raise BadZipFile
    entries, directory_bytes = struct.unpack_from("<HL", tail, at + 10)
    locator = tail[max(0, at - locator_length) : at]
    if locator.startswith(b"PK\6\7"):
        file.seek(struct.unpack_from("<Q", locator, 8)[0])
        record = file.read(56)
        if not record.startswith(b"PK\6\6") or len(record) < 56:  # noqa: PLR2004
            raise BadZipFile
        entries, directory_bytes = struct.unpack_from("<QQ", record, 32)
    refuse_too_many(entries // times)
    if directory_bytes > _MOST_DIRECTORY_BYTES * times:
        raise ArchiveRefused.because_of("压缩包目录过大。", "Its table of contents is too large.")
    file.seek(0)
