"""Pictures and other files that lie beside the documents of a source: which of them belong to a text."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from circle.archive.importing.document import Limits, Listed
from circle.archive.importing.links import Links, local_images
from circle.archive.importing.sources import Source
from circle.media.models import MediaKind
from circle.media.types import TYPES, ContentType

# Pictures that stand in one text; a post that somebody writes here has fewer.
_MOST_IN_TEXT = 30
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
        self._known = source.others
        self._paths: dict[str, set[str]] = {}
        for path in source.others:
            name = PurePosixPath(path.lower())
            for key in {name.name, name.stem}:
                self._paths.setdefault(key, set()).add(path)

    def linked(self, text: str, path: str, *, roots: tuple[str, ...], site: str) -> tuple[list[str], list[str]]:
        """Return the files that the text of the file `path` shows or links to, and pictures that are nowhere."""
        found: dict[str, None] = {}

        def note(place: str) -> str | None:
            if place not in self._known or type_of(place) is None:
                return None
            found[place] = None
            return place

        links = Links(note, roots=roots, site=site)
        links.rewrite(text, path)
        return list(found), [image for image in local_images(text) if links.resolve(image, path) is None]

    def choose(
        self, listed: Iterable[Listed], linked: Iterable[str], limits: Limits
    ) -> tuple[tuple[str, ...], list[str]]:
        """Return the files that a post shows, and the names of what is not there, not taken or too much."""
        files = [(path, path) for path in linked]
        room = {True: max(limits.images, _MOST_IN_TEXT) if files else limits.images, False: limits.files}
        chosen: dict[str, None] = {}
        left: list[str] = []
        for name, path in [*((one.name, self._find(one)) for one in listed), *files]:
            kind = None if path is None else type_of(path)
            is_image = kind is not None and kind.kind == MediaKind.IMAGE
            if path is None or kind is None or room[is_image] == 0:
                left.append(name)
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
