"""Posts for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from circle.posts.services import trash, writing
from tests.builders.circles import BuiltCircle, Circles, caller_of
from tests.builders.people import Person


@dataclass(frozen=True)
class BuiltPost:
    id: UUID
    circle: BuiltCircle
    author: Person

    @property
    def path(self) -> str:
        return f"/posts/{self.id}"


class Posts(Circles):
    def post(
        self,
        circle: BuiltCircle,
        author: Person | None = None,
        *,
        kind: str = "talk",
        body: str = "正文",
        access: str = "members",
        excerpt: str = "",
        status: str = "published",
        tags: Sequence[str] = (),
        **content: Any,
    ) -> BuiltPost:
        """A post of the owner's, or of a member's.

        `access` is preview, members or the name of a tier, as whoever may set it; `status` is published, draft,
        hidden or trashed.
        """
        author = author or circle.owner
        gate = {**({} if access == "members" else _gate(circle, access)), **({"excerpt": excerpt} if excerpt else {})}
        by_owner = author.id == circle.owner.id
        if by_owner and gate:
            content["access"] = gate
        if status == "draft":
            content["draft"] = True
        with self.units.write() as uow:
            written = writing.write_post(uow, caller_of(author), circle.id, kind=kind, body=body, tags=tags, **content)
            built = BuiltPost(written.id, circle, author)
        if gate and not by_owner:
            with self.units.write() as uow:
                writing.edit_post(uow, caller_of(circle.owner), built.id, version=None, access=gate)
        if status == "hidden":
            with self.units.write() as uow:
                trash.hide_post(uow, caller_of(circle.owner), built.id)
        if status == "trashed":
            with self.units.write() as uow:
                trash.trash_post(uow, caller_of(author), built.id)
        return built


def _gate(circle: BuiltCircle, access: str) -> dict[str, Any]:
    tier = circle.tiers.get(access)
    return {"level": "tier", "tier_id": tier.id} if tier else {"level": access}
