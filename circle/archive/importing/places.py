"""Where a file of a tree belongs: the top folder is its column, folders below are sections of that column."""

import posixpath
from collections.abc import Iterable
from typing import NamedTuple


class Place(NamedTuple):
    """`key` is the folder, or the words of the front matter, that the column is known by on the next import."""

    key: str
    column: str
    section: str | None


def common_folder(paths: Iterable[str]) -> str:
    """Return the folder that all files share, such as `docs`: a wrapper and no topic; "" where there is none."""
    folders = {posixpath.dirname(path) for path in paths}
    return posixpath.commonpath(folders) if folders and "" not in folders else ""


def place_of(path: str, common: str) -> Place | None:
    """Return a file's column and section by its folders; None for files beside the topics."""
    folder = posixpath.relpath(posixpath.dirname(path) or ".", common or ".")
    top, _, below = folder.partition("/")
    if top == ".":
        return None
    return Place(posixpath.join(common, top), top, below.replace("/", " / ") or None)


def named_place(name: str) -> Place:
    """Return the column that front matter names."""
    return Place(f"column: {name}", name, None)
