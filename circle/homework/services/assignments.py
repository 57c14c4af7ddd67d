"""Setting homework, changing it, taking it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid as UuidType
from sqlalchemy import any_, delete, exists, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from circle.circles.models import Tier
from circle.homework.errors import RulesInUse, ScoresOut
from circle.homework.models import Assignment, AssignmentMember, Audience, LatePolicy, Work
from circle.homework.policy import lock_assignment
from circle.homework.rubric import points_of, require_rubric
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.changes import Operation
from circle.kernel.errors import FieldError, Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.services.attachments import attach
from circle.memberships.models import Membership
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_open_circle, require_permission

# How work is scored: fixed once something was handed in.
_SCORING = frozenset({"rubric", "max_score", "peer_reviewers", "peer_days", "peer_anonymous"})
_NOT_A_MEMBER = Text("不是这个星球的成员。", "Not a member of this circle.")


def set_assignment(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    attachments: Sequence[UUID] = (),
    audience: Mapping[str, Any] | None = None,
    peer_review: Mapping[str, Any] | None = None,
    opens_at: datetime | None = None,
    **fields: Any,
) -> Assignment:
    """Set homework, open from `opens_at` (now). Errors: MissingPermission, CircleClosed, Invalid."""
    require_open_circle(require_permission(uow, caller, circle_id, Permission.TEACH))
    assignment = Assignment(
        id=new_id(),
        circle_id=circle_id,
        author_id=caller.user_id,
        created_at=uow.now,
        opens_at=opens_at or uow.now,
        **_defaults(),
    )
    _apply(assignment, {**fields, **_peer_fields(peer_review)})
    _require_dates(uow, assignment, {"opens_at", *fields})
    _require_consistent(assignment, fields)
    uow.session.add(assignment)
    named = _settle_audience(uow, assignment, audience or {"kind": Audience.ALL})
    uow.session.flush()
    _name_members(uow, assignment, named)
    if attachments:
        attach(uow, caller, attachments, purpose=Purpose.ASSIGNMENT, to=assignment.id, circle_id=assignment.circle_id)
    _note(uow, caller, "assignment.create", assignment, "created")
    return assignment


def edit_assignment(
    uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, version: int | None, **changed: Any
) -> Assignment:
    """Change an assignment; what was handed in keeps its lateness.

    Errors: StaleVersion, RulesInUse, ScoresOut, MissingPermission, those of `set_assignment`.
    """
    assignment = lock_assignment(uow, caller, assignment_id)
    if version is not None and version != assignment.version:
        raise StaleVersion
    attachments, audience = changed.pop("attachments", None), changed.pop("audience", None)
    if "peer_review" in changed:
        changed.update(_peer_fields(changed.pop("peer_review") or {"reviewers": 0}))
    different = {name for name, value in changed.items() if value != getattr(assignment, name)}
    if different & _SCORING and _has_hand_ins(uow, assignment_id):
        raise RulesInUse
    if "hold_scores" in different and assignment.scores_released_at is not None:
        raise ScoresOut
    _apply(assignment, changed)
    _require_dates(uow, assignment, different)
    _require_consistent(assignment, changed)
    if audience is not None:
        _name_members(uow, assignment, _settle_audience(uow, assignment, audience))
    if attachments is not None:
        attach(uow, caller, attachments, purpose=Purpose.ASSIGNMENT, to=assignment.id, circle_id=assignment.circle_id)
    _note(uow, caller, "assignment.edit", assignment, "updated")
    uow.session.flush()
    return assignment


def take_back_assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Take an assignment away; what was handed in stays stored. Errors: NotFound, MissingPermission."""
    assignment = lock_assignment(uow, caller, assignment_id)
    assignment.deleted_at = uow.now
    _note(uow, caller, "assignment.delete", assignment, "deleted")


def _defaults() -> dict[str, Any]:
    """The columns' own defaults, so that the checks below can look at them before the insert."""
    return {
        column.key: column.default.arg(None) if column.default.is_callable else column.default.arg
        for column in Assignment.__table__.columns
        if column.default is not None and column.key not in {"id", "version"}
    }


def _peer_fields(peer_review: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"peer_{name}": value for name, value in (peer_review or {}).items()}


def _apply(assignment: Assignment, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(assignment, name, value)
    if "rubric" in fields:
        require_rubric(assignment.rubric)
    if assignment.rubric and "max_score" not in fields:
        assignment.max_score = points_of(assignment.rubric)
    if assignment.due_at is not None:
        # Never earlier again: somebody's extension may be behind it.
        assignment.last_due_at = max(assignment.due_at, assignment.last_due_at or assignment.due_at)


def _require_dates(uow: UnitOfWork, assignment: Assignment, changed: set[str]) -> None:
    """Refuse a due time or cut-off that is newly in the past, or dates out of order. Errors: Invalid."""
    opens_at, due_at, cutoff_at = assignment.opens_at, assignment.due_at, assignment.cutoff_at
    for field, moment in (("due_at", due_at), ("cutoff_at", cutoff_at)):
        if field in changed and moment is not None and moment <= uow.now:
            raise Invalid.field(field, "in_the_past", "须在将来。", "Must lie in the future.")
    if due_at is not None and due_at <= opens_at:
        raise Invalid.field("due_at", "out_of_order", "截止须晚于开始。", "Must be due after it opens.")
    if cutoff_at is not None and cutoff_at < (due_at or opens_at):
        raise Invalid.field("cutoff_at", "out_of_order", "最后期限须不早于截止。", "Must not be before it is due.")


def _require_consistent(assignment: Assignment, given: Mapping[str, Any]) -> None:
    """Refuse settings that contradict each other. Errors: Invalid."""
    if assignment.rubric and given.get("max_score") not in {None, points_of(assignment.rubric)}:
        zh, en = "满分须等于评分表的总分。", "Must equal the rubric's points."
        raise Invalid.field("max_score", "one_of", zh, en)
    if assignment.peer_reviewers and not assignment.rubric:
        raise Invalid.field("rubric", "required", "互评需要评分表。", "Peer review needs a rubric.")
    if (assignment.late_policy == LatePolicy.PENALTY) != (assignment.penalty_percent > 0):
        zh, en = (
            "仅当按天扣分时填写，且大于 0。",
            "Give a percentage above 0 with the policy 'penalty', and only there.",
        )
        raise Invalid.field("penalty_percent", "one_of", zh, en)


def _settle_audience(uow: UnitOfWork, assignment: Assignment, audience: Mapping[str, Any]) -> Sequence[UUID]:
    """Say whom it is for; return who is named. Errors: Invalid at `audience`."""
    kind = Audience(audience["kind"])
    needs = {
        Audience.TIER: {"tier_id"},
        Audience.NAMED: {"user_ids"},
        Audience.COHORT: {"joined_from", "joined_before"},
    }
    given = {name for name, value in audience.items() if name != "kind" and value is not None}
    if given != needs.get(kind, set()):
        field = min(given ^ needs.get(kind, set()))
        zh, en = "与 kind 不符。", "Does not go with this kind of audience."
        raise Invalid.field(f"audience.{field}", "one_of", zh, en)
    if kind == Audience.TIER:
        _require_tier(uow, assignment.circle_id, audience["tier_id"])
    if kind == Audience.COHORT and audience["joined_before"] <= audience["joined_from"]:
        zh, en = "须晚于 joined_from。", "Must be after joined_from."
        raise Invalid.field("audience.joined_before", "out_of_order", zh, en)
    assignment.audience = kind
    assignment.tier_id = audience.get("tier_id")
    assignment.joined_from, assignment.joined_before = audience.get("joined_from"), audience.get("joined_before")
    named = list(dict.fromkeys(audience.get("user_ids") or ()))
    _require_members(uow, assignment.circle_id, named)
    return named


def _require_tier(uow: UnitOfWork, circle_id: UUID, tier_id: UUID) -> None:
    tier = uow.session.get(Tier, tier_id)
    if tier is None or tier.circle_id != circle_id or tier.archived_at is not None:
        zh, en = "没有这个会员等级。", "There is no such tier here."
        raise Invalid.field("audience.tier_id", "unknown_tier", zh, en)


def _require_members(uow: UnitOfWork, circle_id: UUID, user_ids: Sequence[UUID]) -> None:
    if not user_ids:
        return
    wanted = any_(literal(list(user_ids), ARRAY(UuidType())))
    known = set(
        uow.session.scalars(
            select(Membership.user_id).where(
                Membership.circle_id == circle_id, Membership.user_id == wanted, Membership.joined_at.is_not(None)
            )
        )
    )
    errors = [
        FieldError(f"audience.user_ids.{at}", "unknown_member", _NOT_A_MEMBER)
        for at, user_id in enumerate(user_ids)
        if user_id not in known
    ]
    if errors:
        raise Invalid(*errors[:100])


def _name_members(uow: UnitOfWork, assignment: Assignment, user_ids: Sequence[UUID]) -> None:
    uow.session.execute(delete(AssignmentMember).where(AssignmentMember.assignment_id == assignment.id))
    if user_ids:
        rows = [{"assignment_id": assignment.id, "user_id": one} for one in user_ids]
        uow.session.execute(insert(AssignmentMember).values(rows))


def _has_hand_ins(uow: UnitOfWork, assignment_id: UUID) -> bool:
    return bool(uow.session.scalar(select(exists().where(Work.assignment_id == assignment_id, Work.attempts > 0))))


def _note(uow: UnitOfWork, caller: Caller, action: str, assignment: Assignment, operation: Operation) -> None:
    circle_id, item_id = assignment.circle_id, assignment.id
    audit.record(uow, caller, action, circle_id=circle_id, subject_kind="assignment", subject_id=item_id)
    changes.record(uow, circle_id=circle_id, kind="assignment", item_id=item_id, operation=operation)
