"""Pictures and other files that lie beside the documents of a source: which of them belong to a text."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from circle.archive.importing.document import Limits, Listed
from circle.archive.importing.sources import Source
from circle.media.models import MediaKind
from circle.media.types import TYPES, ContentType

_BY_EXTENSION: dict[str, ContentType] = {}
for _type in TYPES.values():
    for _extension in _type.extensions:
        _BY_EXTENSION.setdefault(_extension, _type)


def type_of(path: str) -> ContentType | None:
    """Return the type that a name says, as far as it is one that is taken; a worker looks into the file later."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.removeprefix(".").lower())


class Besides:
    """Files by their names, with and without the ending; a name that two go by means neither."""

    def __init__(self, source: Source) -> None:
        self._paths: dict[str, set[str]] = {}
        for path in source.others:
            name = PurePosixPath(path.lower())
            for key in {name.name, name.stem}:
                self._paths.setdefault(key, set()).add(path)

    def choose(self, listed: Iterable[Listed], limits: Limits) -> tuple[tuple[str, ...], list[str]]:
        """Return the files that a post shows, and the names of what is not there, not taken or too much."""
        room = {True: limits.images, False: limits.files}
        chosen: dict[str, None] = {}
        left: list[str] = []
        for one in listed:
            path = self._find(one)
            kind = None if path is None else type_of(path)
            is_image = kind is not None and kind.kind == MediaKind.IMAGE
            if path is None or kind is None or room[is_image] == 0:
                left.append(one.name)
            elif path not in chosen:
                chosen[path] = None
                room[is_image] -= 1
        return tuple(chosen), left

    def _find(self, listed: Listed) -> str | None:
        for key in listed.keys:
            paths = self._paths.get(PurePosixPath(key.lower()).name, set())
            if len(paths) == 1:
                return next(iter(paths))
        return None
