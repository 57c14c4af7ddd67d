"""What changed in a circle, for clients that work offline: the log, with each item as the reader may see it now."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from circle.kernel import changes
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing, require_look

# Returns the items of one kind that the reader may see at all, locked ones as teasers, by id.
ItemCards = Callable[[UnitOfWork, Standing, Collection[UUID]], Mapping[UUID, Json]]


@dataclass(frozen=True, slots=True)
class SyncedKinds:
    """The kinds of item that clients mirror, found by `uow.use(SyncedKinds)`; rooms add theirs in `subscribers`."""

    by_kind: Mapping[str, ItemCards]


def since(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of changes. Errors: NotFound, Banned, BadCursor, ChangesLost."""
    standing = require_look(uow, caller, circle_id)
    kinds = uow.use(SyncedKinds).by_kind
    rows, next_cursor, has_more = changes.since(uow, circle_id, kinds=kinds, cursor=cursor, limit=limit)
    items = _items(uow, standing, rows, kinds)
    return {
        "items": [
            {
                "kind": row["kind"],
                "id": row["item_id"],
                "operation": row["operation"],
                "changed_at": row["changed_at"],
                "item": None if row["operation"] == "deleted" else items[row["kind"]].get(row["item_id"]),
            }
            for row in rows
        ],
        "next_cursor": next_cursor,
        "has_more": has_more,
    }


def _items(
    uow: UnitOfWork, standing: Standing, rows: Collection[Mapping[str, Any]], kinds: Mapping[str, ItemCards]
) -> dict[str, Mapping[UUID, Json]]:
    wanted: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        if row["operation"] != "deleted":
            wanted[row["kind"]].add(row["item_id"])
    return {kind: kinds[kind](uow, standing, ids) for kind, ids in wanted.items()}
