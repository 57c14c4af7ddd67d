"""A ZIP written as a stream: the entry at work is all that is held, in memory while small and else in a local file."""

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_CHUNK = 256 * 1024
# An entry larger than this waits on disk until its end is known.
_IN_MEMORY = 1024 * 1024
_OLDEST_YEAR = 1980  # a ZIP knows no earlier one
_READABLE_BY_ALL = 0o100644 << 16
# Of the format: the version that knows large files, the system whose rights entries have, names in UTF-8.
_VERSION, _UNIX, _UTF8_NAME = 45, 3, 0x800
_MOST_16, _MOST_32 = 0xFFFF, 0xFFFFFFFF


class _Window(io.RawIOBase):
    """What was written since the last drain: as much as `zipfile` goes back to fill in sizes."""

    def __init__(self) -> None:
        self._before = 0
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by `close`

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def tell(self) -> int:
        return self._before + self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset - self._before if whence == io.SEEK_SET else offset, whence)
        return self.tell()

    def close(self) -> None:
        self._file.close()
        super().close()

    def drain(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            self._before += len(chunk)
            yield chunk
        self._file.seek(0)
        self._file.truncate()


class Spool:
    """Text that grows line by line: on disk once it is long."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self.lines = 0

    def add(self, data: str | bytes) -> None:
        self._file.write(data.encode() if isinstance(data, str) else data)
        self.lines += 1

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        self._file.close()


class ZipStream:
    """A ZIP whose methods yield its bytes; `end` yields the last ones. Every name is written once.

    `zipfile` writes the entries. It would keep half a kilobyte of each until the end, so that the table of contents is
    written here. Source: APPNOTE 4.3.12 to 4.3.16.
    """

    def __init__(self) -> None:
        self._window = _Window()
        self._zip = ZipFile(self._window, "w", ZIP_DEFLATED)
        self._directory = Spool()

    def text(self, path: str, content: str | bytes, at: datetime, *, packed: bool = True) -> Iterator[bytes]:
        entry = _entry(path, at, packed=packed)
        self._zip.writestr(entry, content.encode() if isinstance(content, str) else content)
        yield from self._written(entry)

    def file(self, path: str, chunks: Iterable[bytes], at: datetime, *, packed: bool = False) -> Iterator[bytes]:
        """Write an entry of any size; media is packed already."""
        entry = _entry(path, at, packed=packed)
        with self._zip.open(entry, "w", force_zip64=True) as opened:
            for chunk in chunks:
                opened.write(chunk)
        yield from self._written(entry)

    def _written(self, entry: ZipInfo) -> Iterator[bytes]:
        self._zip.filelist.clear()
        self._zip.NameToInfo.clear()
        self._directory.add(_directory_entry(entry))
        yield from self._window.drain()

    def end(self) -> Iterator[bytes]:
        began = self._window.tell()
        for chunk in self._directory.chunks():
            self._window.write(chunk)
            yield from self._window.drain()
        ended = self._window.tell()
        self._window.write(_end_records(self._directory.lines, ended - began, began))
        yield from self._window.drain()

    def close(self) -> None:
        """Let go of what is held, also of a ZIP that was given up before its end."""
        self._zip.fp = None
        self._window.close()
        self._directory.close()


def _entry(path: str, at: datetime, *, packed: bool) -> ZipInfo:
    entry = ZipInfo(path, (max(at.year, _OLDEST_YEAR), at.month, at.day, at.hour, at.minute, at.second))
    entry.compress_type = ZIP_DEFLATED if packed else ZIP_STORED
    entry.external_attr = _READABLE_BY_ALL
    return entry


def _directory_entry(entry: ZipInfo) -> bytes:
    """Return the record of an entry in the table of contents; large numbers go into an extra field."""
    name = entry.filename.encode()
    numbers = (entry.file_size, entry.compress_size, entry.header_offset)
    long = [number for number in numbers if number >= _MOST_32]
    extra = struct.pack(f"<HH{len(long)}Q", 1, 8 * len(long), *long) if long else b""
    size, packed, offset = (min(number, _MOST_32) for number in numbers)
    year, month, day, hour, minute, second = entry.date_time
    head = struct.pack(
        "<4sBBHHHHHLLLHHHHHLL",
        b"PK\1\2",
        _VERSION,
        _UNIX,
        _VERSION,
        0 if entry.filename.isascii() else _UTF8_NAME,
        entry.compress_type,
        hour << 11 | minute << 5 | second // 2,
        (year - _OLDEST_YEAR) << 9 | month << 5 | day,
        entry.CRC,
        packed,
        size,
        len(name),
        len(extra),
        0,
        0,
        0,
        entry.external_attr,
        offset,
    )
    return head + name + extra


def _end_records(entries: int, size: int, offset: int) -> bytes:
    """Return what ends a ZIP: for long ones in both forms, of which old readers know the second."""
    large = b""
    if entries >= _MOST_16 or size >= _MOST_32 or offset >= _MOST_32:
        counts = (entries, entries, size, offset)
        large = struct.pack("<4sQHHLL4Q", b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, *counts)
        large += struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
    some = min(entries, _MOST_16)
    return large + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, some, some, min(size, _MOST_32), min(offset, _MOST_32), 0)


class Reader(io.RawIOBase):
    """A stream of what an iterator yields, which counts and sums up what was read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._waiting = bytearray()
        self._sum = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> bytes:
        return self._sum.digest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return exactly so many bytes, fewer only at the end: parts of an upload have a least size."""
        waiting = self._waiting
        while size < 0 or len(waiting) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            waiting += chunk
        # One buffer and one copy of it: parts are the largest thing that an export holds.
        length = len(waiting) if size < 0 else size
        with memoryview(waiting) as view:
            taken = bytes(view[:length])
        del waiting[:length]
        self._sum.update(taken)
        self.size += len(taken)
        return taken
