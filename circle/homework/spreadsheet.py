"""The gradebook as a CSV file."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from circle.homework.grading_queries import gradebook_columns, gradebook_rows
from circle.homework.models import WorkState
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.spreadsheet import csv_file
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

_AT_ONCE = 500
_HEAD = ("编号 No.", "昵称 Name")
_STATES = {
    WorkState.OWED: "未交 owed",
    WorkState.SUBMITTED: "待点评 submitted",
    WorkState.REDO: "待重做 redo",
    WorkState.PASSED: "通过 passed",
    WorkState.EXCELLENT: "优秀 excellent",
    WorkState.SCORED: "已评分 scored",
}


def gradebook_csv(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> str:
    """Return the gradebook: a line a member, a column each of the latest assignments. Errors: NotFound, …Permission."""
    require_permission(uow, caller, circle_id, Permission.TEACH)
    return csv_file(_lines(uow, circle_id))


def _lines(uow: UnitOfWork, circle_id: UUID) -> Iterator[Sequence[Any]]:
    columns = gradebook_columns(uow, circle_id)
    yield (*_HEAD, *(one["title"] for one in columns))
    after = UUID(int=0)
    while rows := gradebook_rows(uow, circle_id, columns, after=after, limit=_AT_ONCE):
        after = rows[-1]["membership_id"]
        for row in rows:
            yield (row["number"], row["user"]["display_name"], *(_grade(one) for one in row["grades"]))


def _grade(grade: Json) -> Any:
    """A score where there is one, else the state in both languages."""
    return _STATES[WorkState(grade["state"])] if grade["score"] is None else grade["score"]
