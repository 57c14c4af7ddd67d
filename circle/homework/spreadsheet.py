"""The gradebook as a CSV file that a spreadsheet opens as it is meant: in Chinese, and without running anything."""

import csv
from io import StringIO
from typing import Any
from uuid import UUID

from circle.homework.grading_queries import gradebook_columns, gradebook_rows
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

# Spreadsheets read a file as UTF-8 only behind this mark.
_BOM = "\ufeff"
# What they take for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_AT_ONCE = 500
_HEAD = ("编号 No.", "昵称 Name")


def gradebook_csv(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> str:
    """Return the whole gradebook, a line a member, a column an assignment. Errors: NotFound, MissingPermission."""
    require_permission(uow, caller, circle_id, Permission.TEACH)
    columns = gradebook_columns(uow, circle_id)
    out = StringIO()
    out.write(_BOM)
    lines = csv.writer(out)
    lines.writerow([_safe(cell) for cell in (*_HEAD, *(one["title"] for one in columns))])
    after = UUID(int=0)
    while rows := gradebook_rows(uow, circle_id, columns, after=after, limit=_AT_ONCE):
        after = rows[-1]["membership_id"]
        for row in rows:
            cells = (row["number"], row["user"]["display_name"], *(_grade(one) for one in row["grades"]))
            lines.writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def _grade(grade: Json) -> Any:
    """A score where there is one, else the state."""
    return grade["state"] if grade["score"] is None else grade["score"]


def _safe(cell: Any) -> Any:
    """Text that looks like a formula is marked as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA) else cell
