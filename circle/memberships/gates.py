"""Gates of the rooms: a request's first statement finds the caller and, along with it, what they are in the circle."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, bindparam
from sqlalchemy.orm import aliased

from circle.accounts.models import User
from circle.accounts.policy import TOKEN_PREFIX, caller_from, select_by_session, select_by_token
from circle.kernel.caller import Caller
from circle.kernel.db import Query, Row
from circle.kernel.ids import digest
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.policy import standing_from, with_standing
from circle.web.system import Gate


def standing_gate(argument: str, circle_of: ColumnElement[UUID] | None = None) -> Gate:
    """Return a gate that finds caller, membership and grant in one statement.

    `circle_of` is a scalar subquery over `:key`, the view's `argument`; without it the argument is the circle's id.
    """

    def extended(credential: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        found = bindparam("key", type_=Uuid()) if circle_of is None else circle_of
        return with_standing(credential, found, User.id)

    return gate_along(argument, extended)


def gate_along(
    argument: str,
    extended: Callable[[Select[*tuple[Any, ...]]], Select[*tuple[Any, ...]]],
    remember: Callable[[Caller, Row], None] | None = None,
) -> Gate:
    """Return a gate whose statement brings more along than caller and standing, for `remember` to keep.

    `extended` joins to the credential's statement what it wants and `with_standing`; it may use `:key`, the view's
    `argument`, and `:now`.
    """
    by_session = Query(lambda: extended(select_by_session()))
    by_token = Query(lambda: extended(select_by_token()))

    def gate(uow: UnitOfWork, credential: str, view_args: Mapping[str, Any]) -> Caller | None:
        query = by_token if credential.startswith(TOKEN_PREFIX) else by_session
        row = uow.row(query, hash=digest(credential), now=uow.now, key=view_args.get(argument))
        if row is None:
            return None
        caller = caller_from(row, uow.now)
        if row["circle_id"] is not None:
            standing = standing_from(row, uow.now, caller.user_id)
            caller.known[row["circle_id"]] = caller.known[view_args.get(argument)] = standing
        if remember is not None:
            remember(caller, row)
        return caller

    return gate


def circles_gate() -> Gate:
    """Return a gate that finds caller and standings in all their circles in one statement, for `standings_of`."""

    def extended(credential: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        mine = aliased(Membership, name="mine")
        return with_standing(credential.outerjoin(mine, mine.user_id == User.id), mine.circle_id, User.id)

    by_session = Query(lambda: extended(select_by_session()))
    by_token = Query(lambda: extended(select_by_token()))

    def gate(uow: UnitOfWork, credential: str, _view_args: Mapping[str, Any]) -> Caller | None:
        query = by_token if credential.startswith(TOKEN_PREFIX) else by_session
        rows = uow.rows(query, hash=digest(credential), now=uow.now)
        if not rows:
            return None
        caller = caller_from(rows[0], uow.now)
        joined = (row for row in rows if row["circle_id"] is not None)
        caller.known.update((row["circle_id"], standing_from(row, uow.now, caller.user_id)) for row in joined)
        return caller

    return gate
