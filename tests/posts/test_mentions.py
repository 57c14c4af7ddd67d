"""Naming members in a text."""

from circle.posts.services.mentions import MAX_MENTIONS
from tests.builders.discussion import mention
from tests.client import World


def test_a_member_named_in_a_comment_is_told_once(world: World) -> None:
    circle = world.circle()
    post, named = world.post(circle), world.member(circle, name="林晓")

    made = world.comment(post, circle.owner, f"{mention(named)} 你看 {mention(named)}")
    circle.owner.api.patch(f"/comments/{made['id']}", {"body": f"{mention(named)} 再看"}).ok()

    [notice] = world.notices(named, "mention")
    assert notice["circle_id"] == str(circle.id)


def test_the_mark_up_tells_the_name_that_the_member_has(world: World) -> None:
    circle = world.circle()
    post, named = world.post(circle), world.member(circle, name="林[晓]")

    made = world.comment(post, circle.owner, f"你好 {mention(named, '星主本人')}!")

    assert made["body"] == f"你好 @[林晓](user:{named.id})!"


def test_whoever_is_no_member_becomes_plain_text_and_is_not_told(world: World) -> None:
    circle = world.circle()
    post, stranger = world.post(circle), world.person()

    made = world.comment(post, circle.owner, f"{mention(stranger, '路人')} 你看")

    assert made["body"] == "@路人 你看"
    assert world.notices(stranger) == []


def test_authors_do_not_tell_themselves(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    world.comment(post, member, mention(member))

    assert world.notices(member) == []


def test_a_post_names_members_too(world: World) -> None:
    circle = world.circle()
    named = world.member(circle)

    world.post(circle, body=f"{mention(named)} 欢迎")

    assert len(world.notices(named, "mention")) == 1


def test_a_mention_that_is_held_back_is_told_when_it_passes(world: World) -> None:
    circle = world.circle()
    world.block_word(circle, "代写", "review")
    post, writer, named = world.post(circle), world.member(circle), world.member(circle)

    held = world.comment(post, writer, f"{mention(named)} 代写吗")
    assert world.notices(named) == []
    circle.owner.api.post(f"/comments/{held['id']}/approve").ok()

    assert len(world.notices(named, "mention")) == 1


def test_nobody_is_told_of_what_they_may_not_read(world: World) -> None:
    circle = world.circle()
    post, outside = world.post(circle, access="学员"), world.member(circle, "读者")

    world.comment(post, circle.owner, f"{mention(outside)} 升级吧")

    assert world.notices(outside) == []


def test_a_crowd_can_not_be_named(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)
    crowd = " ".join(mention(world.person(), "x") for _ in range(MAX_MENTIONS + 1))

    reply = circle.owner.api.post(f"{post.path}/comments", {"body": crowd})

    assert (reply.status, reply.fields) == (422, {"body": "too_many_mentions"})
