"""The paid post as far up as the archive lifts anything: digest, pinned, where to start, a gem, a year old."""

from datetime import timedelta

from circle.jobs import load_job
from tests.access.maker import POST, Maker
from tests.builders.posts import BuiltPost

FOLDER = "DELETE /v1/me/bookmark-folders/{folder_id}"
_YEAR = timedelta(days=365)


def lift(make: Maker, members: BuiltPost, paid: BuiltPost) -> None:
    """Put the posts wherever the archive brings posts back, and have `tier1` and `tier2` keep and read some."""
    owner, circle = make.by("owner").api, make.cast.open
    _write_a_year_ago(make)
    for post in (members, paid):
        owner.put(f"{post.path}/digest").ok(204)
        owner.put(f"{post.path}/pin").ok(204)
    owner.put(f"{circle.path}/start-here", {"post_ids": [str(paid.id), str(members.id)]}).ok()
    for target, access in (("members_path", "members"), ("tier2_path", "学员")):
        path = make.world.column(circle, [paid, members], access=access, is_path=True)
        make.things[target] = {"column_id": path.id}
    note = make.secrets.of(FOLDER, "a note on a bookmark")
    make.by("tier1").api.put(f"{members.path}/bookmark", {"folder": "素材", "note": note}).ok(204)
    make.by("tier2").api.put(f"{paid.path}/read", {"progress": 40, "position": 3}).ok(204)
    folder = make.by("tier1").api.get("/me/bookmark-folders").ok()["items"][0]
    make.things[""]["folder_id"] = folder["id"]
    load_job("archive.rescore").run(make.world.units)


def _write_a_year_ago(make: Maker) -> None:
    """A paid post of this day of last year, as an import would bring it."""
    now = make.clock.now()
    title = "一年前的标题"
    body = make.secrets.of(f"{POST} @year_ago", "the body of the post @year_ago")
    make.clock.set(now - _YEAR)
    make.post("year_ago", "owner", kind="article", title=title, body=body, access="学员", tags=["写作"])
    make.clock.set(now)
