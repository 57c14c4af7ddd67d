"""Answers: one to a question, by whoever was asked or by the owner; every earlier wording is kept."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from circle.kernel import changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.text import is_blank
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.queries import card_of
from circle.media.services.attachments import attach
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.posts.discussion_errors import AlreadyAnswered, NotAnswered, NotAsked
from circle.posts.discussion_events import AnswerEdited, QuestionAnswered
from circle.posts.errors import NotTheAuthor
from circle.posts.models import QUESTION_STATUS, Answer, AnswerRevision, Kind, Question, QuestionStatus
from circle.posts.policy import SeenPost, require_discussion
from circle.posts.services.composing import read_body
from circle.posts.services.mentions import tell_mentioned
from circle.posts.services.questions import require_question
from circle.posts.services.words import held_by_words


def answer_question(
    uow: UnitOfWork, caller: Caller, post_id: UUID, *, body: str, attachments: Sequence[UUID] = ()
) -> Answer:
    """Answer an open question. Errors: those of `require_discussion`, NotAQuestion, NotAsked, AlreadyAnswered."""
    post = require_discussion(uow, caller, post_id)
    question = require_question(uow, post_id)
    _require_asked(post, question)
    if question.status == QuestionStatus.ANSWERED:
        raise AlreadyAnswered
    question.status = QUESTION_STATUS.require(QuestionStatus(question.status), QuestionStatus.ANSWERED)
    question.answered_at = uow.now
    answer = Answer(
        id=new_id(),
        post_id=post_id,
        circle_id=post.circle_id,
        author_id=caller.user_id,
        body=_read(uow, post, body),
        attachments=[],
        created_at=uow.now,
    )
    _show_attachments(uow, caller, answer, attachments)
    _require_content(answer)
    uow.session.add(answer)
    uow.session.flush()
    uow.emit(QuestionAnswered(post.circle_id, post_id, answer.id, caller.user_id, post.author_id))
    _announce(uow, answer)
    return answer


def _require_asked(post: SeenPost, question: Question) -> None:
    """Whoever was asked may answer while their role lets them, and the owner; nobody answers themselves."""
    standing = post.standing
    asked = question.asked_id == standing.user_id and standing.may(Permission.ANSWER)
    if post.is_own or not (asked or standing.role == Role.OWNER):
        raise NotAsked


def edit_answer(
    uow: UnitOfWork,
    caller: Caller,
    post_id: UUID,
    *,
    version: int | None,
    body: str | None = None,
    attachments: Sequence[UUID] | None = None,
) -> Answer:
    """Reword one's own answer; what it said before is kept. Errors: NotAnswered, NotTheAuthor, StaleVersion."""
    post = require_discussion(uow, caller, post_id)
    answer = uow.session.scalar(select(Answer).where(Answer.post_id == post_id).with_for_update())
    if answer is None:
        raise NotAnswered
    if answer.author_id != caller.user_id:
        raise NotTheAuthor
    if version is not None and version != answer.version:
        raise StaleVersion
    if body is not None and body != answer.body:
        _keep_revision(uow, answer)
        answer.body = _read(uow, post, body)
    if attachments is not None:
        _show_attachments(uow, caller, answer, attachments)
    _require_content(answer)
    answer.edited_at = uow.now
    uow.session.flush()
    uow.emit(AnswerEdited(answer.circle_id, post_id, answer.id, answer.author_id))
    _announce(uow, answer)
    return answer


def _read(uow: UnitOfWork, post: SeenPost, body: str) -> str:
    # A guest's words are checked too, but an answer that is waited for is not held back.
    held_by_words(uow, post.standing, body=body)
    return read_body(uow, Kind.QUESTION, post.circle_id, body)


def _keep_revision(uow: UnitOfWork, answer: Answer) -> None:
    kept = select(func.count()).select_from(AnswerRevision).where(AnswerRevision.answer_id == answer.id)
    uow.session.add(
        AnswerRevision(
            id=new_id(),
            answer_id=answer.id,
            number=uow.session.scalars(kept).one() + 1,
            editor_id=answer.author_id,
            body=answer.body,
            created_at=answer.edited_at or answer.created_at,
        )
    )


def _show_attachments(uow: UnitOfWork, caller: Caller, answer: Answer, media_ids: Sequence[UUID]) -> None:
    if media_ids or answer.attachments:
        attached = attach(uow, caller, media_ids, purpose=Purpose.POST, to=answer.id, circle_id=answer.circle_id)
        answer.attachments = [card_of(media) for media in attached]


def _require_content(answer: Answer) -> None:
    if is_blank(answer.body) and not answer.attachments:
        raise Invalid.field("body", "blank", "不能为空白。", "Must not be blank.")


def _announce(uow: UnitOfWork, answer: Answer) -> None:
    changes.record(uow, circle_id=answer.circle_id, kind="post", item_id=answer.post_id, operation="updated")
    tell_mentioned(
        uow,
        text=answer.body,
        subject_kind="answer",
        subject_id=answer.id,
        circle_id=answer.circle_id,
        post_id=answer.post_id,
        author_id=answer.author_id,
    )
