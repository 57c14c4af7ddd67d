"""Refusals around posts."""

from circle.kernel.errors import Conflict, Forbidden, on_constraint
from circle.kernel.text import Text


class PostLocked(Forbidden):
    """`required_tier` is the tier that opens it, None where any membership would (or did, in another term)."""

    code = "post_locked"
    text = Text("你目前不能阅读这篇内容。", "You can't read this at present.")


class NotTheAuthor(Forbidden):
    code = "not_the_author"
    text = Text("只有作者可以这样做。", "Only the author may do this.")


class NotPublished(Conflict):
    code = "not_published"
    text = Text("这篇内容还没有发布。", "This is not published.")


class RestoreTooLate(Conflict):
    code = "restore_too_late"
    text = Text("已超过 30 天，不能恢复。", "The 30 days to restore it are over.")


class ImportedAlready(Conflict):
    code = "imported_already"
    text = Text("这篇内容已导入过。", "This was imported already.")


on_constraint("uq_posts_circle_id_import_key", ImportedAlready)
