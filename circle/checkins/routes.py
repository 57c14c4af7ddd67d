"""HTTP of camps: rules, taking part, figures."""

from uuid import UUID

from circle.checkins import class_queries, entries, errors, queries, rankings, schemas
from circle.checkins.entry_schemas import CheckedInOut, CheckInIn, CheckInOut, CheckInsArgs
from circle.checkins.policy import camp_gate, circle_gate
from circle.checkins.services import camps, checking_in, joining, reminding
from circle.checkins.services.desk import desk_gate
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.media.errors import StorageFull
from circle.memberships.errors import MEMBERS_ONLY, CircleClosed, MembershipExpired, MissingPermission, NotAMember
from circle.web.answers import Answer
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

routes = Routes("camps", "Check-in camps: rules, check-ins, streaks, rankings.", errors=MEMBERS_ONLY)

_CLOSED_TO_ME = (NotAMember, MembershipExpired, errors.CampLocked)
_NOT_NOW = (
    errors.NotInCamp,
    errors.CampNotStarted,
    errors.CampOver,
    errors.BeforeJoining,
    errors.NotACampDay,
    errors.WindowClosed,
    errors.NoCardsLeft,
    errors.TooLateToMakeUp,
    errors.TooLateToUpload,
)


@routes.get(
    "/circles/<uuid:circle_id>/camps",
    public=True,
    query=PageArgs,
    answer=page_of(schemas.CampOut),
    hot=True,
    gate=circle_gate,
)
def list_camps(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, query: Json) -> Json:
    """The camps of a circle, the latest first."""
    return queries.list_camps(uow, caller, circle_id, **query)


@routes.post(
    "/circles/<uuid:circle_id>/camps",
    body=schemas.CampIn,
    answer=schemas.CampInFullOut,
    status=201,
    errors=(MissingPermission, CircleClosed),
)
def open_camp(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Open a camp with fixed dates, or an evergreen one that begins for each with joining."""
    return queries.camp(uow, caller, camps.open_camp(uow, caller, circle_id, **body).id)


@routes.get("/camps/<uuid:camp_id>", public=True, answer=schemas.CampInFullOut, hot=True, gate=camp_gate)
def get_camp(uow: UnitOfWork, caller: Caller | None, camp_id: UUID) -> Json:
    """A camp's rules, with the themes that are open to you."""
    return queries.camp(uow, caller, camp_id)


@routes.patch(
    "/camps/<uuid:camp_id>",
    body=schemas.CampPatch,
    answer=schemas.CampInFullOut,
    versioned=True,
    errors=(MissingPermission, errors.RulesFrozen),
)
def edit_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID, body: Json, version: int | None) -> Json:
    """Change a camp; once somebody takes part, its rules only become kinder."""
    return queries.camp(uow, caller, camps.edit_camp(uow, caller, camp_id, version=version, **body).id)


@routes.post(
    "/camps/<uuid:camp_id>/join",
    answer=schemas.MyCampOut,
    errors=(*_CLOSED_TO_ME, CircleClosed, errors.AlreadyInCamp, errors.CampOver),
)
def join_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Json:
    """Take part. Who comes back finds the days they did."""
    joining.join_camp(uow, caller, camp_id)
    return queries.me(uow, caller, camp_id)


@routes.post("/camps/<uuid:camp_id>/leave", status=204, errors=(*_CLOSED_TO_ME, errors.NotInCamp))
def leave_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> None:
    """Stop taking part; what you did is kept."""
    joining.leave_camp(uow, caller, camp_id)


@routes.post(
    "/camps/<uuid:camp_id>/check-ins",
    body=CheckInIn,
    answer=CheckedInOut,
    status=201,
    or_status=200,
    hot=True,
    gate=desk_gate,
    errors=(*_CLOSED_TO_ME, CircleClosed, StorageFull, *_NOT_NOW),
)
def check_in(uow: UnitOfWork, caller: Caller, camp_id: UUID, body: Json) -> Answer:
    """Do the camp's day; again on the same day edits it (200).

    A `day` in the past uses a make-up card. With `made_at`, what was written offline counts for its own day.
    """
    return entries.checked_in(uow, checking_in.check_in(uow, caller, camp_id, **body))


@routes.get(
    "/camps/<uuid:camp_id>/check-ins",
    query=CheckInsArgs,
    answer=page_of(CheckInOut),
    hot=True,
    gate=camp_gate,
    errors=_CLOSED_TO_ME,
)
def list_check_ins(uow: UnitOfWork, caller: Caller, camp_id: UUID, query: Json) -> Json:
    """What members wrote, the latest first."""
    return entries.feed(uow, caller, camp_id, **query)


@routes.get(
    "/camps/<uuid:camp_id>/me",
    answer=schemas.MyCampOut,
    hot=True,
    gate=camp_gate,
    errors=(*_CLOSED_TO_ME, errors.NotInCamp),
)
def get_my_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Json:
    """Your streak, totals, cards and days."""
    return queries.me(uow, caller, camp_id)


@routes.get(
    "/camps/<uuid:camp_id>/rankings",
    query=schemas.RankingArgs,
    answer=schemas.CampRankingOut,
    hot=True,
    gate=camp_gate,
    errors=_CLOSED_TO_ME,
)
def list_rankings(uow: UnitOfWork, caller: Caller, camp_id: UUID, query: Json) -> Json:
    """Members by streak or total, and your own place; equals share a rank."""
    return rankings.ranking(uow, caller, camp_id, **query)


@routes.get(
    "/camps/<uuid:camp_id>/calendar",
    query=schemas.MonthArgs,
    answer=schemas.CampMonthOut,
    hot=True,
    gate=camp_gate,
    errors=(*_CLOSED_TO_ME, errors.NotInCamp),
)
def get_calendar(uow: UnitOfWork, caller: Caller, camp_id: UUID, query: Json) -> Json:
    """Your days of a month."""
    return queries.calendar(uow, caller, camp_id, **query)


@routes.get(
    "/camps/<uuid:camp_id>/class-calendar",
    query=schemas.ClassArgs,
    answer=schemas.CampClassOut,
    hot=True,
    gate=camp_gate,
    errors=(MissingPermission,),
)
def get_class_calendar(uow: UnitOfWork, caller: Caller, camp_id: UUID, query: Json) -> Json:
    """The days of a month of everybody in the camp, for teachers."""
    return class_queries.class_calendar(uow, caller, camp_id, **query)


@routes.get("/me/check-ins/heatmap", query=schemas.YearArgs, answer=schemas.CampHeatmapOut, hot=True)
def get_heatmap(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """Your days of a year, over all camps."""
    return queries.heatmap(uow, caller, **query)


@routes.post(
    "/camps/<uuid:camp_id>/leave-days",
    body=schemas.LeaveIn,
    answer=schemas.MyCampOut,
    errors=(*_CLOSED_TO_ME, CircleClosed, errors.NotInCamp, errors.NoLeaveLeft, errors.LeaveNotAhead),
)
def take_leave(uow: UnitOfWork, caller: Caller, camp_id: UUID, body: Json) -> Json:
    """Be excused from days to come; checking in all the same gives the day back."""
    joining.take_leave(uow, caller, camp_id, **body)
    return queries.me(uow, caller, camp_id)


@routes.get(
    "/camps/<uuid:camp_id>/at-risk", query=PageArgs, answer=page_of(schemas.CampAtRiskOut), errors=(MissingPermission,)
)
def list_at_risk(uow: UnitOfWork, caller: Caller, camp_id: UUID, query: Json) -> Json:
    """Members who missed two of the last three days, for teachers."""
    return queries.at_risk(uow, caller, camp_id, **query)


@routes.post("/camps/<uuid:camp_id>/nudge", answer=schemas.CampNudgeOut, errors=(MissingPermission, CircleClosed))
def nudge_at_risk(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Json:
    """Ask those at risk to come back, once a day."""
    day, nudged = reminding.nudge(uow, caller, camp_id)
    return {"day": day, "nudged": nudged}
