"""The ZIP that is written as a stream is one that every reader opens."""

import io
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from circle.archive.exporting import packing
from circle.archive.exporting.packing import Reader, ZipStream

AT = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)


def packed(files: dict[str, bytes]) -> bytes:
    zipped = ZipStream()
    parts = [part for path, content in files.items() for part in zipped.file(path, [content], AT)]
    parts += [*zipped.text("末.md", "# 末", AT), *zipped.end()]
    zipped.close()
    return b"".join(parts)


def test_what_went_in_comes_out() -> None:
    files = {"图/甲.png": b"\x89PNG" * 9, "empty": b"", "long.bin": bytes(range(256)) * 40_000}

    with ZipFile(io.BytesIO(packed(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in files} == files
        assert archive.read("末.md").decode() == "# 末"
        assert archive.infolist()[0].date_time == (2026, 3, 1, 4, 5, 6)


def test_an_archive_beyond_the_old_limits_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With limits of a few bytes, everything goes by the records for large archives."""
    monkeypatch.setattr(packing, "_MOST_16", 2)
    files = {f"{number}.txt": b"x" * number for number in range(5)}

    with ZipFile(io.BytesIO(packed(files))) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 6


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not there")
def test_another_reader_agrees(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed({"甲.txt": b"words", "b": b""}))

    assert subprocess.run([shutil.which("unzip") or "", "-t", path], capture_output=True, check=False).returncode == 0  # noqa: S603 - our own file


def test_a_stream_gives_whole_parts() -> None:
    reader = Reader(iter([b"ab", b"cde", b"f"]))

    assert [reader.read(4), reader.read(4), reader.read(4), reader.size] == [b"abcd", b"ef", b"", 6]


def test_a_zip_that_was_given_up_holds_nothing() -> None:
    zipped = ZipStream()
    next(zipped.text("a", "b", AT))

    zipped.close()
