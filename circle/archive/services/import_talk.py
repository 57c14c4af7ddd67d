"""What came with imported posts: answers to questions, comments, places at the top.

Ids follow from the post's and from what is known about each, so that a second import finds what the first one wrote.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from circle.archive.importing.document import ANSWER, Said, shorten
from circle.archive.services.import_requests import Running
from circle.kernel.uow import UnitOfWork
from circle.posts.models import Answer, Comment, CommentStatus, Kind, Post, Question, QuestionStatus

_TOP = (1 << 64) - 1


class Talk(NamedTuple):
    """What was said with one post, which is written already."""

    post_id: UUID
    kind: str
    author_id: UUID
    answer: Said | None
    comments: tuple[Said, ...]


def bring_talk(uow: UnitOfWork, running: Running, talks: Sequence[Talk]) -> None:
    """Write questions with their answers, and comments; what is there already stays as it is."""
    answered = [(talk, talk.answer) for talk in talks if talk.kind == Kind.QUESTION and talk.answer is not None]
    if answered:
        uow.session.execute(_once(Question), [_question_row(uow, running, talk, said) for talk, said in answered])
        uow.session.execute(_once(Answer), [_answer_row(uow, running, talk, said) for talk, said in answered])
    comments = [_comment_row(uow, running, talk, said) for talk in talks for said in talk.comments]
    if comments:
        uow.session.execute(_once(Comment), comments)
        _count_comments(uow, [talk.post_id for talk in talks if talk.comments])


def _once(model: Any) -> Any:
    return upsert(model).on_conflict_do_nothing()


def _question_row(uow: UnitOfWork, running: Running, talk: Talk, said: Said) -> dict[str, Any]:
    return {
        "post_id": talk.post_id,
        "circle_id": running.circle_id,
        "asked_id": _known(running, said) or running.author_id,
        "status": QuestionStatus.ANSWERED,
        "answered_at": said.dated or uow.now,
    }


def _answer_row(uow: UnitOfWork, running: Running, talk: Talk, said: Said) -> dict[str, Any]:
    known = _known(running, said)
    return {
        "id": derived_id(talk.post_id, ANSWER),
        "post_id": talk.post_id,
        "circle_id": running.circle_id,
        "author_id": known or running.author_id,
        "body": _named(said, known),
        "created_at": said.dated or uow.now,
    }


def _comment_row(uow: UnitOfWork, running: Running, talk: Talk, said: Said) -> dict[str, Any]:
    known = _known(running, said)
    return {
        "id": derived_id(talk.post_id, f"comment {said.key}"),
        "post_id": talk.post_id,
        "circle_id": running.circle_id,
        "author_id": known or running.author_id,
        "body": shorten(_named(said, known), running.limits.comment),
        "status": CommentStatus.PUBLISHED,
        "created_at": said.dated or uow.now,
        "import_id": running.id,
    }


def _known(running: Running, said: Said) -> UUID | None:
    """Return the staff or guest whom a name means: nobody puts words into a member's mouth."""
    return running.authors.get(said.author.lower()) if said.author else None


def _named(said: Said, known: UUID | None) -> str:
    return said.text if known or not said.author else f"{said.author}：{said.text}"


def _count_comments(uow: UnitOfWork, post_ids: Sequence[UUID]) -> None:
    published = (
        select(func.count())
        .where(Comment.post_id == Post.id, Comment.status == CommentStatus.PUBLISHED)
        .scalar_subquery()
    )
    among = Post.id == any_(literal(list(post_ids), ARRAY(Uuid())))
    uow.session.execute(
        update(Post).where(among).values(comment_count=published).execution_options(synchronize_session=False)
    )


def derived_id(parent_id: UUID, key: str) -> UUID:
    """Return the id of something that belongs to a row: the same for the same key, as old as the row."""
    mixed = hashlib.sha256(f"{parent_id}\0{key}".encode()).digest()
    low = int.from_bytes(mixed[:8], "big") & _TOP >> 2 | 0b10 << 62
    return UUID(int=(parent_id.int >> 64 << 64) | low)
