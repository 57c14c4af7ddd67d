"""Answers that are built by hand have the shape that the document promises."""

from datetime import timedelta
from typing import Any

from circle.archive import resurfacing_schemas as back
from circle.archive import shelf_schemas as shelf
from circle.kernel.clock import ManualClock
from circle.posts.schemas import PostOut
from circle.web.fields import Schema
from circle.web.pagination import page_of, whole
from tests.client import World
from tests.conftest import START


def require_shape(schema: type[Schema], answer: Any, *lists: str) -> None:
    """The answer fits, and its lists are not empty: an empty one would fit everything."""
    assert schema().validate(answer) == {}
    assert all(answer[name] for name in lists)


def test_every_answer_fits(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    clock.set(START - timedelta(days=365))
    old = world.post(circle, kind="article", title="去年", tags=["写作"])
    clock.set(START)
    member = world.member(circle, days=60)
    clock.advance(timedelta(hours=1))
    new = world.post(circle, kind="article", title="今年", tags=["写作"], access="学员")
    path = world.column(circle, [old, new], is_path=True)
    owner, api = circle.owner.api, member.api
    for post in (old, new):
        owner.put(f"{post.path}/digest").ok(204)
        owner.put(f"{post.path}/pin", {"ends_at": (START + timedelta(days=9)).isoformat()}).ok(204)
    student = world.member(circle, "学员", started=START)
    student.api.put(f"{new.path}/read", {"progress": 10, "position": 7}).ok(204)
    student.api.put(f"{new.path}/bookmark", {"folder": "素材", "note": "好"}).ok(204)
    world.rescore()
    started = owner.put(f"{circle.path}/start-here", {"post_ids": [str(new.id)]}).ok()
    sql("INSERT INTO search_misses VALUES (:id, '2026-02-28', '改稿', 1)", id=circle.id)

    require_shape(shelf.StartHereOut, started, "items")
    require_shape(shelf.StartHereOut, api.get(f"{circle.path}/start-here").ok(), "items")
    require_shape(whole(shelf.PinOut), api.get(f"{circle.path}/pins").ok(), "items")
    require_shape(page_of(shelf.BookmarkOut), student.api.get("/me/bookmarks").ok(), "items")
    require_shape(whole(shelf.FolderOut), student.api.get("/me/bookmark-folders").ok(), "items")
    require_shape(page_of(back.GemOut), api.get(f"{circle.path}/gems").ok(), "items")
    require_shape(page_of(back.OnThisDayOut), api.get(f"{circle.path}/on-this-day").ok(), "items")
    require_shape(whole(PostOut), student.api.get(f"{old.path}/related").ok(), "items")
    unread = world.member(circle, "学员", started=START - timedelta(days=1)).api.get(f"{circle.path}/unread").ok()
    require_shape(back.UnreadOut, unread, "columns", "tags")
    require_shape(back.PathProgressOut, api.get(f"{path.path}/progress").ok(), "next")
    require_shape(page_of(back.ContinueOut), student.api.get("/me/continue").ok(), "items")
    report = owner.get(f"{circle.path}/archive-report").ok()
    require_shape(back.ArchiveReportOut, report, "most_read", "never_opened", "searched_in_vain")
