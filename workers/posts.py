"""Publishes what is due, and forgets what has lain in the trash for 30 days."""

from circle.kernel.uow import Units
from circle.posts.services import publishing, trash
from workers.runtime import committed, in_turns, job


@job
def publish_due(units: Units) -> int:
    """Publish scheduled posts whose time has come, batch by batch."""
    return in_turns(units, "posts.publish_due", committed(publishing.publish_due))


@job
def purge_trash(units: Units) -> int:
    """Forget the text and attachments of old trash, batch by batch."""
    return in_turns(units, "posts.purge_trash", committed(trash.purge_trash))
