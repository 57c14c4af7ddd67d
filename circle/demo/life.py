"""Some weeks of life: what is posted, asked, answered, said, liked, read, kept and complained about."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from circle.archive.services.arranging import arrange_column
from circle.archive.services.bookmarking import keep_post
from circle.archive.services.columns import create_column
from circle.archive.services.digest import mark_digest
from circle.archive.services.pinning import lay_out_start, pin_post
from circle.billing.errors import CheckoutClosed
from circle.demo import words
from circle.demo.opening import QUESTION_PRICE
from circle.demo.paying import pay
from circle.demo.stage import Stage, Step
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.posts.models import Kind
from circle.posts.services.answers import answer_question
from circle.posts.services.comments import post_comment
from circle.posts.services.questions import ask_question, open_checkout
from circle.posts.services.reactions import react
from circle.posts.services.reading import mark_read
from circle.posts.services.reports import report_post, resolve_report
from circle.posts.services.trash import trash_post
from circle.posts.services.writing import write_post

# Of the same instant, joining comes first.
_AFTER_JOINING = 10_000
_DAYS_OF_TALK = 45
_READERS = 6


def life(now: datetime) -> Iterator[Step]:
    """Yield what people do, from some weeks ago until now."""
    kept: list[UUID] = []
    story: list[tuple[timedelta, Callable[[Stage], None]]] = [
        (timedelta(days=4), _complain),
        (timedelta(days=3), partial(_collect, kept=kept)),
        (timedelta(hours=5), _plan),
    ]
    for number, article in enumerate(words.ARTICLES):
        story.append((timedelta(days=46 - 8 * number), partial(_publish, article=article, kept=kept)))
    talks = words.TALKS * 2
    for number, body in enumerate(talks):
        ago = timedelta(days=_DAYS_OF_TALK * (1 - number / len(talks)))
        story.append((ago, partial(_talk, body=body, number=number)))
    for number, question in enumerate(words.QUESTIONS):
        story.append((timedelta(days=30 - 3 * number), partial(_ask, question=question, number=number)))
    for number, paid in enumerate(words.PAID_QUESTIONS):
        story.append((timedelta(days=14 - 4 * number), partial(_ask_for_money, question=paid, number=number)))
    for order, (ago, act) in enumerate(story, _AFTER_JOINING):
        yield Step(now - ago, order, act)


def _publish(stage: Stage, *, article: words.Article, kept: list[UUID]) -> None:
    title, body, tags, access = article
    with stage.units.write() as uow:
        post = write_post(
            uow,
            stage.owner,
            stage.circle_id,
            kind=Kind.ARTICLE,
            title=title,
            body=body,
            tags=tags,
            access={**_gate(stage, access), "excerpt": body[:12]},
        )
        post_id = post.id
    if access != "mentor":  # of whom there are not enough yet
        _discuss(stage, post_id, stage.speakers, len(title))
    kept.append(post_id)


def _gate(stage: Stage, access: str) -> Json:
    if access in {"preview", "members"}:
        return {"level": access}
    return {"level": "tier", "tier_id": stage.tiers.member if access == "member" else stage.tiers.mentor}


def _talk(stage: Stage, *, body: str, number: int) -> None:
    author = stage.speaker(number)
    with stage.units.write() as uow:
        post_id = write_post(uow, author, stage.circle_id, kind=Kind.TALK, body=body, tags=("日常",)).id
    _discuss(stage, post_id, stage.speakers, number)


def _discuss(stage: Stage, post_id: UUID, readers: Sequence[Caller], number: int) -> None:
    """Have some members read a post and comment on it, and the owner reply to the first."""
    some = [readers[(number * 3 + step) % len(readers)] for step in range(min(_READERS, len(readers)))]
    with stage.units.write() as uow:
        for step, reader in enumerate(some):
            mark_read(uow, reader, post_id)
            react(uow, reader, post_id, words.REACTIONS[(number + step) % len(words.REACTIONS)])
        comments = [
            post_comment(uow, reader, post_id, body=words.COMMENTS[(number + step) % len(words.COMMENTS)])[1]
            for step, reader in enumerate(some[: 1 + number % 3])
        ]
        if comments:
            reply = words.REPLIES[number % len(words.REPLIES)]
            post_comment(uow, stage.owner, post_id, body=reply, parent_id=comments[0].id)


def _ask(stage: Stage, *, question: tuple[str, str, str], number: int) -> None:
    """Ask for free, now the owner, now the expert, now without a name; the answer comes in the same hour."""
    title, body, answer = question
    expert = stage.guest if number % 2 and stage.guest else stage.owner
    with stage.units.write() as uow:
        question_id = ask_question(
            uow,
            stage.speaker(number + 1),
            stage.circle_id,
            asked_id=expert.user_id,
            anonymous=number == 0,
            title=title,
            body=body,
            tags=("答疑",),
        ).id
    stage.clock.advance(timedelta(minutes=40))
    with stage.units.write() as uow:
        answer_question(uow, expert, question_id, body=answer)


def _ask_for_money(stage: Stage, *, question: tuple[str, str, str | None], number: int) -> None:
    """Ask and pay; what nobody answers within 72 hours is refunded."""
    title, body, answer = question
    asker = stage.speaker(number + 2)
    with stage.units.write() as uow:
        question_id = ask_question(
            uow, asker, stage.circle_id, amount=QUESTION_PRICE, title=title, body=body, tags=("答疑",)
        ).id
    # The installation's own sweeps live in the present and may come first; then it stays unpaid or is refunded.
    with suppress(CheckoutClosed, WrongState):
        with stage.units.write() as uow:
            checkout_id = open_checkout(uow, asker, question_id).id
        pay(stage, asker, checkout_id)
        stage.clock.advance(timedelta(hours=1))
        if answer is not None:
            with stage.units.write() as uow:
                answer_question(uow, stage.owner, question_id, body=answer)


def _complain(stage: Stage) -> None:
    """Post an advertisement, report it, and have the admin remove it; another report stays open."""
    author, first, second = stage.speaker(0), stage.speaker(1), stage.speaker(2)
    with stage.units.write() as uow:
        spam = write_post(uow, author, stage.circle_id, kind=Kind.TALK, body=words.SPAM)
        left = write_post(uow, author, stage.circle_id, kind=Kind.TALK, body=words.SPAM[:12])
        removed = report_post(uow, first, spam.id, reason="spam")
        report_post(uow, second, left.id, reason="spam", note="又来了")
        report_id = removed.id
    with stage.units.write() as uow:
        resolve_report(uow, stage.admin or stage.owner, report_id, outcome="removed")


def _collect(stage: Stage, *, kept: Sequence[UUID]) -> None:
    """Mark what is worth keeping, and put it into a column."""
    with stage.units.write() as uow:
        for post_id in kept[1::2]:
            mark_digest(uow, stage.partner or stage.owner, post_id)
        column = create_column(
            uow, stage.owner, stage.circle_id, name="从这里开始", access={"level": "preview"}, is_path=True
        )
        arrange_column(uow, stage.owner, column.id, version=None, post_ids=kept)
        lay_out_start(uow, stage.owner, stage.circle_id, post_ids=kept[:3])
        for post_id in (kept[-1], kept[0]):
            pin_post(uow, stage.owner, post_id)
    _keep(stage, kept[0], kept[1])


def _keep(stage: Stage, finished: UUID, begun: UUID) -> None:
    """Have some members read one article to the end and bookmark it, and stop in the middle of another."""
    with stage.units.write() as uow:
        for number, reader in enumerate(stage.speakers[:_READERS]):
            mark_read(uow, reader, finished)
            mark_read(uow, reader, begun, progress=10 * (number + 1), position=3 * (number + 1))
            keep_post(uow, reader, finished, folder=words.FOLDER, note=words.COMMENTS[number % len(words.COMMENTS)])


def _plan(stage: Stage) -> None:
    """Leave a draft, a scheduled article and something in the trash."""
    now = stage.clock.now()
    with stage.units.write() as uow:
        write = partial(write_post, uow, stage.owner, stage.circle_id, kind=Kind.ARTICLE, body="还在写。")
        write(title="草稿：写作与散步", draft=True)
        write(title="下周预告", publish_at=now + timedelta(days=2))
        trashed = write(title="写错地方了")
        trash_post(uow, stage.owner, trashed.id)
