"""The index follows what is written, and leaves at once what is taken away."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from circle.archive.events import PostsImported
from circle.archive.search import catching_up, sources
from circle.archive.search.indexing import owe
from circle.archive.search.models import Owed
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Units
from circle.posts.models import Post
from circle.posts.services import trash
from tests.archive.search.looking import catch_up, find_words, found, found_now
from tests.builders.archive import folder_of
from tests.builders.circles import caller_of
from tests.client import World
from workers.schedule import SCHEDULE


def test_a_post_owes_the_index_and_is_found_once_the_worker_has_come(world: World, doorbell: SilentDoorbell) -> None:
    circle = world.circle()
    doorbell.rung.clear()
    made = circle.owner.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "琥珀"}).ok(201)

    assert doorbell.rung == ["search.catch_up"]
    assert found_now(circle.owner, "琥珀", circle) == []
    assert (catch_up(world.units), catch_up(world.units)) == (1, 0)
    assert found_now(circle.owner, "琥珀", circle) == [made["id"]]


def test_the_sweep_finds_what_was_written_while_nobody_heard_the_bell(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀")
    comment = world.comment(post, circle.owner, "琥珀")

    swept = [row.job for row in SCHEDULE if row.job == "search.catch_up"]

    assert [load_job(job).run(units) for job in swept] == [2]
    assert set(found_now(circle.owner, "琥珀", circle)) == {str(post.id), comment["id"]}
    assert sql("SELECT 1 FROM search_due WHERE kind <> 'words'") == []


def test_what_somebody_writes_does_not_wait_for_an_import(
    world: World, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "BATCH", 1)
    circle = world.circle()
    catch_up(units)
    single = world.post(circle, body="琥珀")
    bulk = tuple(world.post(circle, body="鲸落").id for _ in range(3))
    with units.write() as uow:
        uow.emit(PostsImported(circle.id, new_id(), bulk))

    assert catching_up.index_owed(units, Owed.POST) == 1

    assert found_now(circle.owner, "琥珀", circle) == [str(single.id)]
    assert found_now(circle.owner, "鲸落", circle) == []


def test_an_edit_is_found_and_what_it_replaced_is_not(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, kind="article", title="旧题", body="琥珀")
    assert found(circle.owner, "琥珀 旧题", circle) == [str(post.id)]

    circle.owner.api.patch(post.path, {"title": "新题", "body": "鲸落"}).ok()

    assert found_now(circle.owner, "琥珀", circle) == found_now(circle.owner, "旧题", circle) == []
    assert found(circle.owner, "琥珀", circle) == found(circle.owner, "旧题", circle) == []
    assert found(circle.owner, "鲸落 新题", circle) == [str(post.id)]


def test_trash_hides_a_post_with_all_below_it_and_restoring_brings_it_back(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀")
    world.comment(post, circle.owner, "琥珀")

    circle.owner.api.delete(post.path).ok(204)
    assert found(circle.owner, "琥珀", circle) == []

    circle.owner.api.post(f"{post.path}/restore").ok()
    assert len(found(circle.owner, "琥珀", circle)) == 2


def test_a_post_that_is_edited_while_hidden_returns_as_it_is_now(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author, body="琥珀")
    circle.owner.api.put(f"{post.path}/hidden").ok(204)
    author.api.patch(post.path, {"body": "鲸落"}).ok()

    circle.owner.api.delete(f"{post.path}/hidden").ok(204)

    assert found(author, "琥珀", circle) == []
    assert found(author, "鲸落", circle) == [str(post.id)]


def test_a_scheduled_post_is_found_from_its_time_on(world: World, units: Units, clock: ManualClock) -> None:
    circle = world.circle()
    later = clock.now() + timedelta(hours=1)
    post = world.post(circle, body="琥珀", publish_at=later)
    assert found(circle.owner, "琥珀", circle) == []

    clock.set(later)
    load_job("posts.publish_due").run(units)

    assert found(circle.owner, "琥珀", circle) == [str(post.id)]


def test_comments_follow_edits_hiding_and_deletion(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    post = world.post(circle)
    comment = world.comment(post, member, "琥珀")
    path = f"/comments/{comment['id']}"

    assert found(member, "琥珀", circle) == [comment["id"]]

    member.api.patch(path, {"body": "鲸落"}).ok()
    assert found_now(member, "琥珀", circle) == []
    assert found(member, "鲸落", circle) == [comment["id"]]

    circle.owner.api.put(f"{path}/hidden").ok()
    assert found(circle.owner, "鲸落", circle) == []
    circle.owner.api.delete(f"{path}/hidden").ok()
    assert found(member, "鲸落", circle) == [comment["id"]]

    member.api.delete(path).ok(204)
    assert found_now(member, "鲸落", circle) == found(member, "鲸落", circle) == []
    assert sql("SELECT 1 FROM search_documents WHERE subject_id = :id", id=comment["id"]) == []


def test_an_answer_follows_its_edits(world: World) -> None:
    circle = world.circle()
    asker = world.member(circle)
    question = world.ask(circle, asker)
    answer = f"/posts/{question['id']}/answer"
    circle.owner.api.post(answer, {"body": "琥珀"}).ok(201)
    assert len(found(asker, "琥珀", circle)) == 1

    circle.owner.api.patch(answer, {"body": "鲸落"}).ok()

    assert found_now(asker, "琥珀", circle) == found(asker, "琥珀", circle) == []
    assert len(found(asker, "鲸落", circle)) == 1


def test_a_file_that_is_taken_off_is_not_found_any_more(world: World) -> None:
    circle = world.circle()
    file = world.media(circle.owner, b"x", filename="琥珀.csv", content_type="text/csv")
    post = world.post(circle, attachments=[file])
    assert found(circle.owner, "琥珀", circle) == [str(file)]

    circle.owner.api.patch(post.path, {"attachments": []}).ok()

    assert found_now(circle.owner, "琥珀", circle) == found(circle.owner, "琥珀", circle) == []


def test_an_import_is_found_once_workers_have_taken_it_over(world: World, units: Units, tmp_path: Path) -> None:
    circle = world.circle()
    world.imported(circle, folder_of(tmp_path, {"专栏/一.md": "# 琥珀\n\n鲸落", "专栏/二.md": "# 别的\n\n正文"}))
    assert found_now(circle.owner, "鲸落", circle) == []

    assert catch_up(units) == 2

    assert len(found(circle.owner, "琥珀 鲸落", circle)) == 1
    assert catch_up(units) == 0


def test_purged_posts_leave_no_word_in_the_index(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀")
    world.comment(post, circle.owner, "琥珀")
    assert len(found(circle.owner, "琥珀", circle)) == 2
    circle.owner.api.delete(post.path).ok(204)

    clock.advance(trash.KEEP_TRASHED + timedelta(seconds=1))
    load_job("posts.purge_trash").run(units)
    catch_up(units)
    find_words(units)

    assert sql("SELECT 1 FROM search_documents") == sql("SELECT 1 FROM search_due") == []


def test_words_are_found_and_again_after_an_edit(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle, body="发展中国家")

    catch_up(units)
    find_words(units)
    assert find_words(units) == 0
    assert sql("SELECT words::text FROM search_documents")[0]["words"] == "'发展中国家':1"

    circle.owner.api.patch(post.path, {"body": "中国"}).ok()
    catch_up(units)
    find_words(units)
    assert sql("SELECT words::text FROM search_documents")[0]["words"] == "'中国':1"


def test_filing_writes_nothing_into_the_index(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀")
    catch_up(units)
    find_words(units)

    circle.owner.api.patch(post.path, {"tags": ["写作"]}).ok()

    assert sql("SELECT 1 FROM search_due") == []
    assert sql("SELECT words IS NOT NULL AS known FROM search_documents")[0]["known"]


def test_a_poison_row_is_put_off_and_the_others_are_done(
    world: World, units: Units, sql: Any, monkeypatch: Any
) -> None:
    circle = world.circle()
    posts = [world.post(circle, body=body) for body in ("琥珀", "鲸落", "灯塔")]
    whole = sources.of_post

    def poisoned(post: Any) -> Any:
        if post["body"] == "鲸落":
            raise ZeroDivisionError
        return whole(post)

    monkeypatch.setattr(sources, "of_post", poisoned)
    catch_up(units)

    assert len(found(circle.owner, "琥珀", circle)) == len(found(circle.owner, "灯塔", circle)) == 1
    (left,) = sql("SELECT subject_id, attempts, due_at FROM search_due WHERE kind = 'post'")
    assert (left["subject_id"], left["attempts"]) == (posts[1].id, 1)
    assert left["due_at"] == units.clock.now() + catching_up.FIRST_RETRY


def test_a_deleted_row_that_is_due_is_no_harm(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀")
    with units.write() as uow:
        trash.trash_post(uow, caller_of(circle.owner), post.id)
    sql("DELETE FROM search_due")
    with units.write() as uow:
        owe(uow, Owed.POST, [post.id])

    assert (catch_up(units), catch_up(units)) == (1, 0)


def test_what_somebody_has_locked_is_left_to_the_next_run(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    posts = [world.post(circle, body="琥珀") for _ in range(3)]
    with units.write() as uow:
        busy = sources._locked(uow, Post, [post.id for post in posts], [{"id": posts[0].id}])

    assert busy == {posts[1].id, posts[2].id}


def test_a_busy_writer_does_not_keep_the_worker_from_other_jobs(
    world: World, units: Units, doorbell: SilentDoorbell, monkeypatch: Any
) -> None:
    circle = world.circle()
    for _ in range(3):
        world.post(circle, body="琥珀")
    monkeypatch.setattr(catching_up, "BATCH", 1)
    monkeypatch.setattr(catching_up, "ROUNDS", 2)
    doorbell.rung.clear()

    assert (catch_up(units), doorbell.rung) == (2, ["search.catch_up"])
    assert (catch_up(units), doorbell.rung) == (1, ["search.catch_up"])
