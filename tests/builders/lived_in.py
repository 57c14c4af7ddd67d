"""A circle in which everything has happened at least once, so that every table of an export has a row."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.builders.archive import BuiltColumn
from tests.builders.circles import BuiltCircle
from tests.builders.homework import BEST, RUBRIC
from tests.builders.media import PDF
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import World


def lived_in_circle(world: World, clock: ManualClock) -> BuiltCircle:
    """A circle of one owner, a guest, and members who read, asked, paid, handed in and checked in."""
    circle = world.circle(name="写作圈", description="每天一百字", anonymous_questions=True, lookback_days=30)
    payer, member = world.paying_member(circle), world.member(circle, "学员", name="同学")
    guest = world.member(circle, role="guest", name="老师")
    _write(world, clock, circle, member, guest)
    _pay(world, circle)
    _teach(world, clock, circle, member, guest)
    _check_in(world, circle, payer, member)
    circle.owner.api.patch(f"{circle.path}/members/{member.id}", {"note": "写小说的", "alias": "小同"}).ok()
    return circle


def _write(world: World, clock: ManualClock, circle: BuiltCircle, member: Person, guest: Person) -> None:
    media = world.media(circle.owner, PDF, filename="论文.pdf", content_type="application/pdf")
    post = world.post(circle, title="第一篇", body="初稿", kind="article", tags=["写作/选题"], attachments=[media])
    clock.advance(timedelta(minutes=1))
    circle.owner.api.patch(post.path, {"body": f"见[自己](/posts/{post.id})，谢 @[同学](user:{member.id})"}).ok()
    circle.owner.api.put(f"{post.path}/digest").ok(204)
    circle.owner.api.put(f"{post.path}/pin").ok()
    circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": [str(post.id)]}).ok()
    paid = world.post(circle, title="付费", body="学员的内容", access="学员", excerpt="节选")
    world.post(circle, body="回收站里", status="trashed")
    world.post(circle, body="我的草稿", status="draft")
    _arrange(world.column(circle, name="入门", access="学员"), post, paid)
    top = world.comment(post, member, "顶层")
    world.comment(post, circle.owner, "回复", parent=top)
    member.api.put(f"{post.path}/reactions/🎉").ok()
    question = world.ask(circle, member, body="怎么写？", anonymous=True, asked_id=str(guest.id))
    guest.api.post(f"/posts/{question['id']}/answer", {"body": "先写一句"}).ok(201)
    guest.api.patch(f"/posts/{question['id']}/answer", {"body": "先写一百字"}).ok()
    world.block_word(circle, "广告")


def _arrange(column: BuiltColumn, first: BuiltPost, second: BuiltPost) -> None:
    owner = column.circle.owner.api
    owner.patch(column.path, {"intro": "从这里开始"}).ok()
    sections = [{"name": "第一周", "post_ids": [str(second.id)]}]
    owner.put(f"{column.path}/items", {"post_ids": [str(first.id)], "sections": sections}).ok()


def _pay(world: World, circle: BuiltCircle) -> None:
    """Somebody who got their money back, and somebody who only tries."""
    unhappy = world.paying_member(circle)
    world.refund(circle.owner, unhappy.extra["invoice_id"]).ok(201)
    world.run_billing("refund")
    trying = world.tier(circle, "试读", 3, 2900, trial_days=7)
    world.join(world.person("试读者"), circle, trying, collection="manual")


def _teach(world: World, clock: ManualClock, circle: BuiltCircle, member: Person, guest: Person) -> None:
    homework = world.assignment(circle, title="写一个开头")
    review = world.review(world.hand_in(homework, member, "那年冬天"), guest, body="很好")
    circle.owner.api.patch(f"/reviews/{review['id']}", {"body": "非常好"}).ok()
    named = {"kind": "named", "user_ids": [str(member.id)]}
    alone = world.assignment(circle, title="只给你", audience=named)
    due = {"user_id": str(member.id), "due_at": (clock.now() + timedelta(days=20)).isoformat(), "note": "生病"}
    circle.owner.api.post(f"{alone.path}/extensions", due).ok(201)
    peers = world.assignment(circle, title="互评", rubric=RUBRIC, peer_review={"reviewers": 1, "days": 3})
    fellow = world.member(circle, name="同伴")
    work = world.hand_in(peers, member, "甲的")
    world.hand_in(peers, fellow, "乙的")
    fellow.api.post(f"/submissions/{work['id']}/peer-review", {"rubric": BEST, "body": "好"}).ok(201)


def _check_in(world: World, circle: BuiltCircle, payer: Person, member: Person) -> None:
    camp = world.camp(circle, days=1, themes=[{"number": 1, "title": "写窗外", "body": "一百字"}])
    payer.api.post(f"{camp.path}/join").ok()
    entry = world.check_in(camp, payer, body="第一天")
    world.check_in(camp, payer, body="第一天，改了")
    member.api.post(f"/check-ins/{entry['id']}/comments", {"body": "加油"}).ok(201)
    member.api.put(f"/check-ins/{entry['id']}/like").ok()
