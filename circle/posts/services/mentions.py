"""Mentions: `@[name](user:<uuid>)` inside a text names a member of the circle.

A client writes the mark-up where the name stands, so that it survives editing, export and search, and reads as a link
in Markdown. The server writes the member's present name into it: nobody is named under another's name. Mark-up of
somebody who is no member becomes plain `@name`. A length counts `@name` only.
"""

import re
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from circle.accounts.models import User
from circle.kernel.db import Query
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership, Status
from circle.posts.cards import author_name
from circle.posts.discussion_events import MemberMentioned
from circle.posts.models import Mention
from circle.posts.policy import may_read

MAX_MENTIONS = 20

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_MENTION = re.compile(rf"@\[([^\[\]\r\n]{{0,80}})\]\(user:({_UUID})\)")
_BRACKETS = re.compile(r"[\[\]\r\n]")

_MEMBERS = Query(
    lambda: (
        select(User.id, author_name().label("name"))
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.circle_id == bindparam("circle_id"),
            Membership.status == Status.ACTIVE,
            User.id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
        )
    )
)


def plain(text: str) -> str:
    """Return a text as it is read aloud: mark-up of mentions is `@name`."""
    return _MENTION.sub(r"@\1", text)


def mentioned_in(text: str) -> list[UUID]:
    """Return who is named, each once, in order."""
    return list(dict.fromkeys(UUID(found[2]) for found in _MENTION.finditer(text)))


def settle_mentions(uow: UnitOfWork, circle_id: UUID, text: str, *, field: str = "body") -> str:
    """Return the text with every mention under the member's present name. Errors: Invalid for too many."""
    ids = mentioned_in(text)
    if not ids:
        return text
    if len(ids) > MAX_MENTIONS:
        zh, en = f"最多提到 {MAX_MENTIONS} 人。", f"At most {MAX_MENTIONS} people can be mentioned."
        raise Invalid.field(field, "too_many_mentions", zh, en)
    names = {row["id"]: row["name"] for row in uow.rows(_MEMBERS, circle_id=circle_id, ids=ids)}

    def settled(found: re.Match[str]) -> str:
        user_id = UUID(found[2])
        if user_id not in names:
            return f"@{found[1]}"
        return f"@[{_BRACKETS.sub('', names[user_id])}](user:{user_id})"

    return _MENTION.sub(settled, text)


def tell_mentioned(
    uow: UnitOfWork,
    *,
    text: str,
    subject_kind: str,
    subject_id: UUID,
    circle_id: UUID,
    post_id: UUID,
    author_id: UUID,
    anonymous: bool = False,
) -> None:
    """Announce to each member who may read it that they are named, once for good; authors don't tell themselves."""
    ids = [user_id for user_id in mentioned_in(text) if user_id != author_id]
    if not ids:
        return
    members = [row["id"] for row in uow.rows(_MEMBERS, circle_id=circle_id, ids=ids)]
    readers = [user_id for user_id in members if may_read(uow, user_id, circle_id, post_id)]
    if not readers:
        return
    row = {"subject_id": subject_id, "subject_kind": subject_kind, "circle_id": circle_id, "post_id": post_id}
    told = uow.session.scalars(
        insert(Mention)
        .values([{**row, "user_id": user_id, "created_at": uow.now} for user_id in readers])
        .on_conflict_do_nothing()
        .returning(Mention.user_id)
    ).all()
    by = None if anonymous else author_id
    for user_id in told:
        uow.emit(MemberMentioned(circle_id, post_id, subject_kind, subject_id, user_id, by))
