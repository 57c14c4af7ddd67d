"""Folders and ZIPs: what is read, in which order, and what is refused."""

import os
import stat
import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circle.archive.importing import sources
from circle.archive.importing.circles import open_circle
from circle.archive.importing.faults import ArchiveRefused, BadFile
from circle.archive.importing.sources import in_reading_order, open_source
from tests.builders.archive import folder_of, zip_of


def packed(tmp_path: Path, content: bytes, name: str = "archive.zip") -> Path:
    file = tmp_path / name
    file.write_bytes(content)
    return file


def test_files_come_in_reading_order() -> None:
    paths = ["b/10.md", "b/2.md", "b/sub/1.md", "b/README.md", "a.md", "b/第10章.md", "b/第9章.md"]

    assert in_reading_order(paths) == [
        "a.md",
        "b/README.md",
        "b/2.md",
        "b/10.md",
        "b/第9章.md",
        "b/第10章.md",
        "b/sub/1.md",
    ]


def test_a_folder_and_its_zip_have_the_same_paths(tmp_path: Path) -> None:
    files = {"a.md": "甲", "docs/b.markdown": "乙", "docs/c.txt": "no", ".git/d.md": "no", "node_modules/e.md": "no"}
    folder = folder_of(tmp_path / "notes", files)
    wrapped = packed(tmp_path, zip_of({f"notes/{path}": text for path, text in files.items()}), "notes.zip")

    with open_source(folder) as one, open_source(wrapped) as other:
        assert one.paths == other.paths == ["a.md", "docs/b.markdown"]
        assert one.read("docs/b.markdown") == other.read("docs/b.markdown") == "乙".encode()


def test_a_folder_that_wraps_everything_stays_unless_it_has_the_archives_name(tmp_path: Path) -> None:
    with open_source(packed(tmp_path, zip_of({"java/a.md": ""}))) as source:
        assert source.paths == ["java/a.md"]


def test_names_without_a_mark_are_read_as_utf8_or_gb18030(tmp_path: Path) -> None:
    for encoding in ("utf-8", "gb18030"):
        info = ZipInfo("x" * len("写作.md".encode(encoding)))
        out = BytesIO()
        with ZipFile(out, "w") as archive:
            archive.writestr(info, "正文")
        content = out.getvalue().replace(info.filename.encode(), "写作.md".encode(encoding))

        with open_source(packed(tmp_path, content)) as source:
            assert source.paths == ["写作.md"]
            # The entry's own name in front of its data is the same bytes, so it opens.
            assert source.read("写作.md") == "正文".encode()


@pytest.mark.parametrize("path", ["../up.md", "/root.md", "a/../../b.md", "..\\up.md", "C:\\x.md", "C:/x.md"])
def test_a_path_that_leads_out_refuses_the_archive(tmp_path: Path, path: str) -> None:
    with pytest.raises(ArchiveRefused), open_source(packed(tmp_path, zip_of({"ok.md": "", path: ""}))):
        pass


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    bomb = zip_of({f"{n}.md": b"\n" * 2**22 for n in range(5)})

    with pytest.raises(ArchiveRefused), open_source(packed(tmp_path, bomb)):
        pass


def test_a_file_that_is_larger_than_its_header_says_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILE_BYTES", 1000)
    content = zip_of({"a.md": os.urandom(5000)})
    lying = content.replace(struct.pack("<L", 5000), struct.pack("<L", 900))

    with open_source(packed(tmp_path, lying)) as source, pytest.raises(BadFile):
        source.read("a.md")


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_FILE_BYTES", 1000)

    with open_source(packed(tmp_path, zip_of({"a.md": b"x" * 1001}))) as source, pytest.raises(BadFile) as bad:
        source.read("a.md")

    assert bad.value.code == "file_too_large"


def test_too_many_files_are_refused_before_their_names_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MOST_FILES", 3)
    files = {f"{n}.md": "" for n in range(4)}

    with pytest.raises(ArchiveRefused), open_source(packed(tmp_path, zip_of(files))):
        pass
    with pytest.raises(ArchiveRefused), open_source(folder_of(tmp_path / "folder", files)):
        pass


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArchiveRefused), open_source(packed(tmp_path, content)):
        pass


CONTENTS = {"a.md": "甲" * 300, "写作/b.md": "乙", "c.png": b"PNG", "manifest.json": b"{}", "data/posts.jsonl": b"{}\n"}
SOUND = zip_of(CONTENTS)


def read_all(archive: Path) -> None:
    """Read everything that may be in it; each file that can't be read is one bad file."""
    with open_source(archive) as source:
        for path in source.paths:
            with suppress(BadFile):
                source.read(path)
        for path in source.others:
            with suppress(BadFile):
                list(source.chunks(path))


@given(damage=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.binary(max_size=8)), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_whatever_is_damaged_is_refused_or_named(damage: list[tuple[int, bytes]]) -> None:
    content = bytearray(SOUND)
    for at, written in damage:
        content[at : at + len(written)] = written

    with TemporaryDirectory() as folder:
        archive = packed(Path(folder), bytes(content))
        with suppress(ArchiveRefused):
            read_all(archive)
        with suppress(ArchiveRefused), open_circle(archive):
            pass


FAR = b"PK\6\7" + struct.pack("<LQL", 0, 2**64 - 1, 1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SOUND.replace("写作".encode(), b"\xff" * 6), id="a name that is not in its encoding"),
        pytest.param(SOUND[:-22] + FAR + SOUND[-22:], id="a table of contents beyond the end of numbers"),
        pytest.param(SOUND.replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xff"), id="a version that nobody knows"),
    ],
)
def test_a_table_of_contents_that_breaks_readers_refuses_the_archive(tmp_path: Path, content: bytes) -> None:
    assert content != SOUND

    with pytest.raises(ArchiveRefused), open_source(packed(tmp_path, content)):
        pass
    with pytest.raises(ArchiveRefused), open_circle(packed(tmp_path, content)):
        pass


def test_a_file_without_a_name_is_passed_over(tmp_path: Path) -> None:
    content = zip_of({"x": "一", "a.md": "甲"})
    at = content.rindex(b"PK\1\2", 0, content.rindex(b"PK\1\2"))
    nameless = bytearray(content)
    nameless[at + 46] = 0

    with open_source(packed(tmp_path, bytes(nameless))) as source:
        assert (source.paths, source.others) == (["a.md"], {})


def test_an_encrypted_file_is_one_bad_file(tmp_path: Path) -> None:
    content = bytearray(zip_of({"a.md": "甲"}))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + flags] |= 1

    with open_source(packed(tmp_path, bytes(content))) as source, pytest.raises(BadFile) as bad:
        source.read("a.md")

    assert bad.value.data == {"problem": "encrypted"}


def test_what_is_too_large_in_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_TOTAL_BYTES", 1_000)

    with pytest.raises(ArchiveRefused), open_source(packed(tmp_path, zip_of({"a.md": os.urandom(1_001)}))):
        pass


def test_a_damaged_entry_is_one_bad_file(tmp_path: Path) -> None:
    content = bytearray(zip_of({"a.md": "甲" * 500, "b.md": "乙"}))
    content[36:40] = b"\xff" * 4

    with open_source(packed(tmp_path, bytes(content))) as source:
        with pytest.raises(BadFile):
            source.read("a.md")
        assert source.read("b.md") == "乙".encode()


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("机密")
    folder = folder_of(tmp_path / "folder", {"ok.md": "好"})
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    info = ZipInfo("link.md")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        archive.writestr(info, "/etc/hostname")

    for path in (folder, packed(tmp_path, out.getvalue())):
        with open_source(path) as source, pytest.raises(BadFile) as bad:
            source.read("link.md")
        assert bad.value.code == "is_link"


def test_names_can_not_steer_a_terminal(tmp_path: Path) -> None:
    with open_source(packed(tmp_path, zip_of({"a\x1b[31m.md": ""}))) as source:
        assert source.paths == ["a\ufffd[31m.md"]
