"""Reading assignments and what was handed in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.homework import policy
from circle.homework.cards import assignment_card, submission_card
from circle.homework.models import Assignment, AssignmentMember, Audience, Draft, Extension, Submission, Work, WorkState
from circle.homework.policy import SeenAssignment, SeenSubmission
from circle.homework.review_queries import reviews_of
from circle.homework.told import score_for_author, state_for_author
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media
from circle.media.queries import CARD_COLUMNS, attachments, media_card, media_cards
from circle.memberships.policy import Standing

_LIST = Keyset("assignments", {"opens_at": datetime, "id": UUID})
_SUBMISSIONS = Keyset("submissions", {"work_id": UUID})
_EXTENSIONS = Keyset("extensions", {"id": UUID})
_LAST_ID = UUID(int=2**128 - 1)
_LAST_INSTANT = datetime(9999, 12, 31, tzinfo=UTC)
_LIMIT = bindparam("limit", type_=Integer())


def _select_list() -> Select[*tuple[Any, ...]]:
    before = tuple_(bindparam("before", type_=DateTime(timezone=True)), bindparam("before_id", type_=Uuid()))
    return (
        policy.select_assignments()
        .where(
            Assignment.circle_id == bindparam("circle_id", type_=Uuid()),
            tuple_(Assignment.opens_at, Assignment.id) < before,
        )
        .order_by(Assignment.opens_at.desc(), Assignment.id.desc())
        .limit(_LIMIT)
    )


_PAGE = Query(_select_list)
_BY_IDS = Query(
    lambda: policy.select_assignments().where(
        Assignment.circle_id == bindparam("circle_id", type_=Uuid()),
        Assignment.id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
    )
)


def assignments(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's assignments, the latest opening first, each with how far one is."""
    standing = policy.require_circle_reader(uow, caller, circle_id)
    after = _LIST.decode(cursor) if cursor else {"opens_at": _LAST_INSTANT, "id": _LAST_ID}
    rows = uow.rows(
        _PAGE,
        circle_id=circle_id,
        before=after["opens_at"],
        before_id=after["id"],
        limit=limit + 1,
        **policy.reading(standing),
    )
    page, next_cursor = _LIST.page(rows, limit)
    return {"items": _with_progress(uow, standing, page), "next_cursor": next_cursor}


def _with_progress(uow: UnitOfWork, standing: Standing, rows: Sequence[Mapping[str, Any]]) -> list[Json]:
    shown = attachments(uow, [row["id"] for row in rows])
    looked_at = [policy.seen_from(row, standing) for row in rows]
    return [{**assignment_card(found, shown), "mine": progress(found, uow.now)} for found in looked_at]


def cards(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return the assignments of the standing's circle that the reader sees, by id, for clients that mirror it."""
    if standing.membership_id is None or not (standing.is_inside or standing.keeps_paid_term):
        return {}
    rows = uow.rows(_BY_IDS, circle_id=standing.circle_id, ids=list(ids), **policy.reading(standing))
    return dict(zip((row["id"] for row in rows), _with_progress(uow, standing, rows), strict=True))


def assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Return one assignment; locked, without its brief. Errors: NotFound, MembershipExpired, Banned."""
    found = policy.find_assignment(uow, caller, assignment_id)
    named: Sequence[UUID] = ()
    if found.teaches and found.assignment.audience == Audience.NAMED:
        asked = select(AssignmentMember.user_id).where(AssignmentMember.assignment_id == assignment_id)
        named = uow.session.scalars(asked.order_by(AssignmentMember.user_id)).all()
    card = assignment_card(found, attachments(uow, [assignment_id]), named=named)
    return {**card, "mine": progress(found, uow.now)}


def progress(found: SeenAssignment, now: datetime) -> Json:
    """Return how far somebody is with their own work, in the shape of `ProgressOut`."""
    one, work = found.assignment, found.own
    attempts = work.attempts if work else 0
    left = None if one.max_attempts is None else max(0, one.max_attempts - attempts)
    return {
        "state": _state(found, work, now),
        "due_at": one.due_of(work),
        "closes_at": one.closes_for(work),
        "attempts": attempts,
        "attempts_left": left,
        "score": score_for_author(one, work.score) if work else None,
    }


def _state(found: SeenAssignment, work: Work | None, now: datetime) -> str:
    one = found.assignment
    if work is not None and work.attempts:
        return state_for_author(one, work.state)
    closes_at, due_at = one.closes_for(work), one.due_of(work)
    if one.opens_at > now:
        return "upcoming"
    if closes_at is not None and closes_at <= now:
        return "closed"
    return "overdue" if due_at is not None and due_at <= now else WorkState.OWED


def mine(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Json:
    """Return one's own versions, what was said about them, and how far one is. Errors: those of `assignment`."""
    found = policy.find_assignment(uow, caller, assignment_id)
    work, far = found.own, progress(found, uow.now)
    versions = _versions(uow, work) if work else []
    files = media_cards(uow, {media_id for one in versions for media_id in one.attachments})
    author = _author(uow, caller.user_id) if versions else None
    drafted = select(Draft.updated_at).where(Draft.assignment_id == assignment_id, Draft.user_id == caller.user_id)
    return {
        "assignment_id": assignment_id,
        **far,
        "consented": work is not None and work.consented_at is not None,
        "draft_saved_at": uow.session.scalar(drafted),
        "versions": [
            submission_card(
                one,
                author=author,
                files=files,
                state=far["state"],
                latest=work is not None and one.id == work.submission_id,
            )
            for one in versions
        ],
        "reviews": reviews_of(uow, found, [one.id for one in versions], for_author=True),
    }


def _versions(uow: UnitOfWork, work: Work) -> Sequence[Submission]:
    return uow.session.scalars(
        select(Submission).where(Submission.work_id == work.id).order_by(Submission.number)
    ).all()


def _author(uow: UnitOfWork, user_id: UUID) -> Json:
    user = uow.session.get_one(User, user_id)
    return user_card(user.id, user.display_name, user.avatar_media_id)


def submission(uow: UnitOfWork, caller: Caller, submission_id: UUID) -> Json:
    """Return a version that the caller may see, with its reviews for author and teachers. Errors: NotFound."""
    shown = policy.find_submission(uow, caller, submission_id)
    version, work = shown.submission, shown.work
    return {
        **submission_card(
            version,
            author=None if shown.hides_author else _author(uow, work.user_id),
            files=media_cards(uow, version.attachments),
            state=_shown_state(shown),
            latest=work.submission_id == submission_id,
        ),
        "reviews": _shown_reviews(uow, caller, shown),
    }


def _shown_state(shown: SeenSubmission) -> str | None:
    if shown.seen.teaches and not shown.is_own:
        return shown.work.state
    return state_for_author(shown.seen.assignment, shown.work.state) if shown.is_own else None


def _shown_reviews(uow: UnitOfWork, caller: Caller, shown: SeenSubmission) -> list[Json]:
    """Reviews are for the author and for teachers; a peer sees their own."""
    by = caller.user_id if shown.is_peer else None
    if not (shown.is_own or shown.seen.teaches or shown.is_peer):
        return []
    return reviews_of(uow, shown.seen, [shown.submission.id], for_author=shown.is_own, by=by)


def _files() -> Any:
    """Select what a version shows as one value, so that one without files costs nothing."""
    pairs: Any = chain.from_iterable((literal_column(f"'{column.key}'"), column) for column in CARD_COLUMNS)
    cards = (
        select(func.jsonb_agg(func.jsonb_build_object(*pairs, type_=JSONB)))
        .where(Media.id == any_(Submission.attachments))
        .correlate(Submission)
        .scalar_subquery()
    )
    return case((func.cardinality(Submission.attachments) > 0, cards)).label("files")


def _select_submissions() -> Select[*tuple[Any, ...]]:
    reader: Any = bindparam("reader_id", type_=Uuid())
    everything: Any = bindparam("everything", type_=Boolean())
    state = bindparam("state", type_=Text())
    version = case((or_(everything, Work.user_id == reader), Work.submission_id), else_=Work.showcased_id)
    return (
        select(
            *Submission.__table__.columns,
            Work.state.label("work_state"),
            Work.showcased_id,
            Work.submission_id.label("latest_id"),
            User.display_name,
            User.avatar_media_id,
            _files(),
        )
        .select_from(Work)
        .join(Submission, Submission.id == version)
        .join(User, User.id == Work.user_id)
        .where(
            Work.assignment_id == bindparam("assignment_id", type_=Uuid()),
            Work.attempts > 0,
            Work.id < bindparam("work_id", type_=Uuid()),
            or_(state.is_(None), Work.state == state),
        )
        .order_by(Work.id.desc())
        .limit(_LIMIT)
    )


_PAGE_OF_SUBMISSIONS = Query(_select_submissions)


def submissions(
    uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, state: str | None, cursor: str | None, limit: int
) -> Json:
    """Return a page of the latest versions that the caller may see; `state` narrows it for teachers.

    Errors: those of `require_open`.
    """
    found = policy.require_open(uow, caller, assignment_id)
    rows = uow.rows(
        _PAGE_OF_SUBMISSIONS,
        assignment_id=assignment_id,
        reader_id=caller.user_id,
        everything=policy.may_see_others(found, uow.now),
        state=state if found.teaches else None,
        limit=limit + 1,
        work_id=(_SUBMISSIONS.decode(cursor) if cursor else {"work_id": _LAST_ID})["work_id"],
    )
    page, next_cursor = _SUBMISSIONS.page(rows, limit)
    return {"items": [_listed(found, row, caller) for row in page], "next_cursor": next_cursor}


def _listed(found: SeenAssignment, row: Mapping[str, Any], caller: Caller) -> Json:
    own = row["author_id"] == caller.user_id
    hidden = policy.hides_peers(found) and not own and row["showcased_id"] != row["id"]
    state = row["work_state"] if found.teaches else None
    if own:
        state = state_for_author(found.assignment, row["work_state"])
    person = user_card(row["author_id"], row["display_name"], row["avatar_media_id"])
    latest = row["id"] == row["latest_id"]
    files = {UUID(one["id"]): media_card({**one, "id": UUID(one["id"])}) for one in row["files"] or ()}
    return submission_card(row, author=None if hidden else person, files=files, state=state, latest=latest)


def extensions(uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return who got more time, the latest first. Errors: NotFound, MissingPermission."""
    policy.require_taught(uow, caller, assignment_id)
    before = _EXTENSIONS.decode(cursor)["id"] if cursor else _LAST_ID
    granted = (
        select(Extension, User)
        .join(User, User.id == Extension.user_id)
        .where(and_(Extension.assignment_id == assignment_id, Extension.id < before))
        .order_by(Extension.id.desc())
        .limit(limit + 1)
    )
    rows = [extension_card(one, user) for one, user in uow.session.execute(granted)]
    page, next_cursor = _EXTENSIONS.page(rows, limit)
    return {"items": page, "next_cursor": next_cursor}


def extension_card(one: Extension, user: User) -> Json:
    fields = ("id", "due_at", "due_before", "note", "granted_by", "granted_at")
    person = user_card(user.id, user.display_name, user.avatar_media_id)
    return {**{name: getattr(one, name) for name in fields}, "user": person}


def extension(uow: UnitOfWork, made: Extension) -> Json:
    """Return an extension to who has just granted it."""
    return extension_card(made, uow.session.get_one(User, made.user_id))
