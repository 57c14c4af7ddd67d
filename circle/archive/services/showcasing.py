"""Good homework as a post of its author's, filed in a column where the teacher names one."""

from uuid import UUID

from circle.archive.policy import require_filed_column
from circle.archive.services.appending import append_to_column
from circle.homework.events import WorkShowcased
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from circle.media.models import MediaKind
from circle.media.queries import media_cards
from circle.memberships.policy import find_standing_of
from circle.posts.models import AccessLevel, Kind, Post
from circle.posts.services import publishing
from circle.posts.services.composing import compose


def on_work_showcased(uow: UnitOfWork, shown: WorkShowcased) -> None:
    """Publish the work for whoever could read the assignment; its files stay with the hand-in and are linked.

    Errors: those of filing posts, at a column that is not the circle's.
    """
    files = media_cards(uow, shown.attachments)
    body = "\n\n".join([shown.body, *(_link(files[one]) for one in shown.attachments if one in files)])
    standing = find_standing_of(uow, shown.author_id, shown.circle_id)
    post = compose(uow, Caller(shown.author_id), standing, kind=Kind.ARTICLE, title=shown.title, body=body)
    if shown.tier_id is not None:
        post.access_level, post.access_tier_id = AccessLevel.TIER, shown.tier_id
    publishing.publish(uow, post)
    if shown.column_id is not None:
        _file(uow, Caller(shown.shown_by), post, shown.column_id)


def _link(card: Json) -> str:
    name = card["filename"].replace("[", "(").replace("]", ")")
    return f"{'!' if card['kind'] == MediaKind.IMAGE else ''}[{name}]({card['url']})"


def _file(uow: UnitOfWork, caller: Caller, post: Post, column_id: UUID) -> None:
    column, _standing = require_filed_column(uow, caller, column_id)
    if column.circle_id != post.circle_id:
        raise Invalid.field("column_id", "unknown_column", "没有这个专栏。", "There is no such column here.")
    append_to_column(uow, caller, column, [post.id], section_id=None)
