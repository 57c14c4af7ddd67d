"""A member takes along what they may read, and no more; a worker builds it, killed or twice over."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from circle.archive.exporting import building
from circle.archive.services import export_requests
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.media.errors import StorageUnavailable
from circle.media.storage import Storage
from tests.builders.exports import Taken
from tests.builders.homework import BEST, RUBRIC
from tests.builders.media import PDF
from tests.client import World


def bodies(taken: Taken, *words: str) -> list[bool]:
    return [word in taken.all_text for word in words]


def test_a_member_takes_along_what_they_may_read(world: World, doorbell: SilentDoorbell) -> None:
    circle = world.circle()
    world.post(circle, title="公开", kind="article", body="给大家的话", tags=["写作/选题"])
    world.post(circle, body="学员才能读", access="学员", title="付费", excerpt="节选")
    member, student = world.member(circle, "读者"), world.member(circle, "学员")
    world.post(circle, member, body="我的草稿", status="draft")

    asked = world.ask_export(member, circle)
    assert (asked["status"], asked["download"], asked["total"]) == ("queued", None, None)
    assert "exports.build" in doorbell.rung
    assert world.build_exports() == 1
    told = member.api.get(f"/exports/{asked['id']}").ok()
    assert (told["status"], told["done"], told["total"]) == ("ready", 2, 2)

    taken = Taken(httpx.get(told["download"]["url"]).content, told)
    assert bodies(taken, "给大家的话", "我的草稿", "学员才能读", "付费", "节选") == [True, True, False, False, False]
    assert bodies(world.export(student, circle), "学员才能读", "我的草稿") == [True, False]


def test_a_post_is_a_file_with_front_matter_that_comes_in_again(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, title='标题"引号": [1]', kind="article", body="正文\n第二行", tags=["写作/选题", "日记"])
    world.column(circle, [post], name="入门")
    circle.owner.api.put(f"{post.path}/digest").ok(204)

    taken = world.export(circle.owner, circle)

    path = next(name for name in taken.names if name.startswith("posts/2026/2026-03-01 "))
    assert taken.text(path) == (
        '---\ntitle: "标题\\"引号\\": [1]"\ndate: "2026-03-01T04:00:00+00:00"\nauthor: "星主"\nkind: "article"\n'
        f'tags: ["写作/选题","日记"]\ncolumn: "入门"\ndigest: true\nid: "{post.id}"\n---\n\n正文\n第二行\n'
    )
    assert f"](<{path}>)" in taken.text("README.md")


def test_links_and_files_are_beside_the_text(world: World) -> None:
    circle = world.circle()
    first = world.post(circle, title="第一篇")
    picture, paper = world.media(circle.owner), _paper(world, circle.owner)
    world.post(circle, body=f"见[那篇](/posts/{first.id})", attachments=[picture, paper], title="第二篇")

    taken = world.export(circle.owner, circle)

    second = next(taken.text(name) for name in taken.names if "第二篇" in name)
    first_path = next(name for name in taken.names if "第一篇" in name).rpartition("/")[2]
    assert f"见[那篇](<{first_path}>)" in second
    assert f"![图.png](<../../media/{picture}/图.png>)" in second
    assert taken.zip.read(f"media/{paper}/论文.pdf") == PDF
    assert taken.zip.testzip() is None


def _paper(world: World, person: Any, **about: str) -> Any:
    return world.media(person, PDF, filename="论文.pdf", content_type="application/pdf", **about)


def test_questions_comments_homework_and_check_ins_come_along(world: World) -> None:
    circle = world.circle()
    member, other = world.member(circle), world.member(circle, name="同学")
    question = world.ask(circle, member, body="怎么开头？", anonymous=False)
    circle.owner.api.post(f"/posts/{question['id']}/answer", {"body": "从动作开始。"}).ok(201)
    post = world.post(circle, body="今天的题目")
    top = world.comment(post, other, "顶层评论")
    world.comment(post, member, "我的回复", parent=top)
    homework = world.assignment(circle, title="写一个开头", brief="三百字")
    version = world.hand_in(homework, member, "那年冬天的事")
    world.review(version, circle.owner, body="开头很好")
    world.hand_in(homework, other, "别人的作业")

    taken = world.export(member, circle)

    assert "从动作开始。" in taken.all_text
    said = next(taken.text(name) for name in taken.names if "今天的题目" in name)
    assert "- **同学** 2026-03-01 04:00: 顶层评论\n    - **成员** 2026-03-01 04:00: 我的回复" in said
    assert bodies(taken, "那年冬天的事", "开头很好", "三百字", "别人的作业") == [True, True, True, False]
    assert "我的回复" in taken.text("comments/2026-03.md")


def test_all_that_was_said_about_ones_homework_comes_along(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    paper = _paper(world, circle.owner, purpose="assignment")
    homework = world.assignment(circle, title="写一个开头", attachments=[str(paper)], rubric=RUBRIC)
    version = world.hand_in(homework, member, "那年冬天很冷")
    note = world.recording(circle.owner, purpose="review")
    remark = {"start": 0, "end": 4, "text": "有画面。"}
    world.review(version, circle.owner, "scored", rubric=BEST, remarks=[remark], audio_media_id=str(note))

    taken = world.export(member, circle)

    said = taken.text("homework/")
    assert "[论文.pdf]" in said
    assert "得分：10\n\n- 论点: 清楚\n- 文字: 通顺\n\n不错" in said
    assert f"../media/{note}/话.mp3" in said
    assert "> 那年冬天\n\n有画面。" in said
    assert taken.zip.read(f"media/{paper}/论文.pdf") == PDF


def test_own_check_ins_come_along(world: World) -> None:
    circle = world.circle()
    camp = world.camp(circle)
    member, other = world.camper(camp), world.camper(camp)
    world.check_in(camp, member, body="我的第一天")
    world.check_in(camp, other, body="别人的第一天")

    taken = world.export(member, circle)

    assert "## 2026-03-01\n\n我的第一天" in taken.text("check-ins/")
    assert "别人的第一天" not in taken.all_text


def test_after_expiry_the_paid_term_comes_along(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    start = clock.now()
    member = world.expired_member(circle, started=start - timedelta(days=40), ended=start - timedelta(days=10))
    clock.set(start - timedelta(days=20))
    world.post(circle, body="付费期间的内容")
    clock.set(start)
    world.post(circle, body="后来的内容")

    assert bodies(world.export(member, circle), "付费期间的内容", "后来的内容") == [True, False]


def test_who_unsubscribed_keeps_their_term_and_who_was_refunded_nothing(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    payer = world.paying_member(circle)
    world.post(circle, body="付费内容")
    payer.api.post(f"{circle.path}/leave").ok()
    left = world.export(payer, circle)
    invoice_id = payer.api.get("/me/invoices").ok()["items"][0]["id"]
    world.refund(circle.owner, invoice_id, reason="退")
    world.run_billing("refund")

    assert bodies(left, "付费内容") == [True]
    assert bodies(world.export(payer, circle), "付费内容") == [False]


@pytest.mark.parametrize(("who", "code"), [("stranger", "not_a_member"), ("banned", "banned")])
def test_who_is_not_in_takes_nothing(world: World, who: str, code: str) -> None:
    circle = world.circle()
    person = world.person() if who == "stranger" else world.banned_member(circle)

    assert person.api.post(f"{circle.path}/exports", {"scope": "mine", "format": "epub"}).code == code


def test_an_anonymous_asker_stays_so(world: World) -> None:
    circle = world.circle(anonymous_questions=True)
    asker, reader = world.member(circle, name="提问的人"), world.member(circle)
    world.ask(circle, asker, body="不好意思问", anonymous=True)

    taken = world.export(reader, circle)

    assert bodies(taken, "不好意思问", "提问的人") == [True, False]


def test_only_its_owner_has_it_and_only_while_they_may(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    asked = world.ask_export(member, circle)
    world.build_exports()
    path, media = f"/exports/{asked['id']}", sql("SELECT media_id FROM exports")[0]["media_id"]

    assert circle.owner.api.get(path).status == 404
    assert member.api.get(f"/media/{media}").status == 404
    circle.owner.api.post(f"{circle.path}/members/{member.id}/ban", {"refund": False}).ok()
    assert member.api.get(path).code == "banned"


def test_a_file_goes_after_a_week(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    taken = world.export(circle.owner, circle)
    path = f"/exports/{taken.told['id']}"

    clock.advance(timedelta(days=7))
    world.sweep_media()

    told = circle.owner.api.get(path).ok()
    assert (told["status"], told["download"]) == ("expired", None)
    assert httpx.get(taken.told["download"]["url"]).status_code == 404
    clock.advance(timedelta(days=90))
    world.run_job("housekeeping.tidy")
    assert sql("SELECT id FROM exports") == []


def test_running_the_job_twice_builds_once(world: World) -> None:
    circle = world.circle()
    world.ask_export(circle.owner, circle)

    assert [world.build_exports(), world.build_exports()] == [1, 0]


def test_one_at_a_time(world: World) -> None:
    circle = world.circle()
    world.ask_export(circle.owner, circle)

    again = circle.owner.api.post(f"{circle.path}/exports", {"scope": "mine", "format": "epub"})

    assert again.code == "export_running"
    items = circle.owner.api.get(f"{circle.path}/exports").ok()["items"]
    assert [one["status"] for one in items] == ["queued"]


class Killed(BaseException):
    """As a kill: nothing of ours runs any more."""


def test_a_killed_export_begins_anew_and_leaves_nothing_behind(
    world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    for n in range(3):
        world.post(circle, body=f"第{n}篇")
    asked = world.ask_export(circle.owner, circle)
    storage = world.units.use(Storage)
    client = storage._client(storage._settings.s3_endpoint)
    orphan = client.create_multipart_upload(Bucket=storage._bucket, Key=f"exports/{asked['id']}/1")
    with monkeypatch.context() as broken:
        broken.setattr(building, "post_pages", _die)
        with pytest.raises(Killed):
            world.build_exports()
    assert world.build_exports() == 0

    clock.advance(export_requests.LEASE + timedelta(seconds=1))
    assert world.build_exports() == 1

    told = circle.owner.api.get(f"/exports/{asked['id']}").ok()
    assert (told["status"], told["done"]) == ("ready", 3)
    begun = client.list_multipart_uploads(Bucket=storage._bucket, Prefix=f"exports/{asked['id']}/").get("Uploads", [])
    assert orphan["UploadId"] not in [one["UploadId"] for one in begun]
    assert storage.size(f"exports/{asked['id']}/1") is None


def _die(*_arguments: Any) -> Any:
    raise Killed


def test_a_worker_that_lost_its_lease_spoils_nothing(
    world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    asked = world.ask_export(circle.owner, circle)
    genuine = building.post_pages
    taken_over: list[int] = []

    def slow(*arguments: Any) -> Any:
        if not taken_over:
            taken_over.append(0)
            clock.advance(export_requests.LEASE + timedelta(seconds=1))
            taken_over.append(world.build_exports())
        return genuine(*arguments)

    monkeypatch.setattr(building, "post_pages", slow)
    world.build_exports()

    told = circle.owner.api.get(f"/exports/{asked['id']}").ok()
    assert (taken_over, told["status"]) == ([0, 1], "ready")
    assert httpx.get(told["download"]["url"]).status_code == 200


def test_a_storage_that_is_away_only_delays(world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    circle = world.circle()
    asked = world.ask_export(circle.owner, circle)
    with monkeypatch.context() as broken:
        broken.setattr(type(world.units.use(Storage)), "upload", _away)
        world.build_exports()
    assert circle.owner.api.get(f"/exports/{asked['id']}").ok()["status"] == "queued"

    clock.advance(timedelta(minutes=1))
    world.build_exports()

    assert circle.owner.api.get(f"/exports/{asked['id']}").ok()["status"] == "ready"


def _away(*_arguments: Any, **_more: Any) -> Any:
    raise StorageUnavailable


def test_an_export_that_breaks_its_worker_is_given_up(
    world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    asked = world.ask_export(circle.owner, circle)
    monkeypatch.setattr(building, "post_pages", _break)

    for _ in range(export_requests.MAX_ATTEMPTS):
        world.build_exports()
        clock.advance(export_requests.LEASE + timedelta(seconds=1))

    told = circle.owner.api.get(f"/exports/{asked['id']}").ok()
    assert (told["status"], told["refusal"]) == ("failed", "An internal error ended it; ask for it again.")
    assert world.build_exports() == 0


def _break(*_arguments: Any) -> Any:
    raise ZeroDivisionError


def test_who_is_banned_meanwhile_gets_no_file(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    asked = world.ask_export(member, circle)
    circle.owner.api.post(f"{circle.path}/members/{member.id}/ban", {"refund": False}).ok()

    world.build_exports()

    assert member.api.get(f"/exports/{asked['id']}").ok()["status"] == "failed"


def test_formats_and_scopes_are_checked(world: World) -> None:
    circle = world.circle()
    partner = world.member(circle, role="partner")
    ask = f"{circle.path}/exports"

    assert circle.owner.api.post(ask, {"scope": "mine", "format": "archive"}).fields == {"format": "unknown_format"}
    assert circle.owner.api.post(ask, {"scope": "circle", "format": "epub"}).fields == {"format": "unknown_format"}
    assert circle.owner.api.post(ask, {"scope": "all", "format": "epub"}).status == 422
    assert partner.api.post(ask, {"scope": "circle", "format": "archive"}).code == "missing_permission"
