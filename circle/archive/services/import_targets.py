"""Where an import from the command line goes: names that people type, turned into what the product knows."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circle.accounts.addresses import read_address
from circle.accounts.queries import find_identity
from circle.circles.models import Circle, Tier
from circle.kernel.caller import Caller
from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.posts.models import AccessLevel

_TIER = "tier:"


@dataclass(frozen=True, slots=True)
class Target:
    """A circle, its owner in whose name the import is made, and options as `plan_import` takes them."""

    circle_id: UUID
    owner: Caller
    options: dict[str, Any]


def find_target(uow: UnitOfWork, *, slug: str, access: str, author: str | None) -> Target:
    """Return the circle and options that these words mean; `access` is members, preview or tier:<name>.

    Errors: Invalid naming the word.
    """
    circle = uow.session.scalar(select(Circle).where(Circle.slug == slug))
    if circle is None:
        raise _unknown("circle", slug, Text("没有这个星球", "There is no circle"))
    options = {"access": _gate(uow, circle.id, access), "author_id": None if author is None else _author(uow, author)}
    return Target(circle.id, Caller(user_id=circle.owner_id), options)


def _gate(uow: UnitOfWork, circle_id: UUID, access: str) -> dict[str, Any]:
    if access in {AccessLevel.MEMBERS, AccessLevel.PREVIEW}:
        return {"level": access}
    tier = None
    if access.startswith(_TIER):
        named = Tier.name == access.removeprefix(_TIER)
        tier = uow.session.scalar(select(Tier).where(Tier.circle_id == circle_id, Tier.archived_at.is_(None), named))
    if tier is None:
        raise _unknown("access", access, Text("没有这个会员等级", "There is no such access"))
    return {"level": AccessLevel.TIER, "tier_id": tier.id}


def _author(uow: UnitOfWork, email: str) -> UUID:
    identity = find_identity(uow, read_address(email, None))
    if identity is None:
        raise _unknown("author", email, Text("没有这个账号", "There is no account"))
    return identity.user_id


def _unknown(field: str, word: str, what: Text) -> Invalid:
    return Invalid(FieldError(field, "unknown", Text(f"{what.zh}：{word}", f"{what.en} {word!r}").escaped()))
