"""Columns and archives of Markdown for tests: small, made here, none taken from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from circle.archive.services import arranging, columns, import_requests
from circle.archive.services.import_batches import Tally
from circle.archive.services.import_formats import do_import
from circle.jobs import load_job
from tests.builders.circles import BuiltCircle, caller_of
from tests.builders.posts import BuiltPost, Posts

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class BuiltColumn:
    id: UUID
    circle: BuiltCircle

    @property
    def path(self) -> str:
        return f"/columns/{self.id}"


def zip_of(files: Files) -> bytes:
    """A ZIP of these files."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def folder_of(root: Path, files: Files) -> Path:
    """A folder with these files in it."""
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


class Archives(Posts):
    def column(
        self,
        circle: BuiltCircle,
        posts: Sequence[BuiltPost] = (),
        *,
        name: str = "写作入门",
        access: str = "members",
        **fields: Any,
    ) -> BuiltColumn:
        """A column of the owner's with these posts in it; `access` is preview, members or the name of a tier."""
        tier = circle.tiers.get(access)
        gate = {"level": "tier", "tier_id": tier.id} if tier else {"level": access}
        caller = caller_of(circle.owner)
        with self.units.write() as uow:
            made = columns.create_column(uow, caller, circle.id, name=name, access=gate, **fields)
            built = BuiltColumn(made.id, circle)
        if posts:
            with self.units.write() as uow:
                arranging.arrange_column(uow, caller, built.id, version=None, post_ids=[post.id for post in posts])
        return built

    def rescore(self) -> int:
        """Have the worker count values anew; return how many marks they had."""
        return load_job("archive.rescore").run(self.units)

    def imported(self, circle: BuiltCircle, archive: Path, **options: Any) -> Tally:
        """What came of importing a folder or ZIP as the owner."""
        with self.units.write() as uow:
            found = import_requests.request_import(uow, caller_of(circle.owner), circle.id, **options)
            running = import_requests.take_up(uow, found.id)
        return do_import(self.units, running, archive)
