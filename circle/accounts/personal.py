"""Everything about one person, as the installation keeps it: the right to a copy."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from circle.kernel.uow import UnitOfWork


class PersonalData(Protocol):
    """Knows the rows of every room; the rooms above accounts are known only to who wires them."""

    def of(self, uow: UnitOfWork, user_id: UUID) -> Mapping[str, list[dict[str, Any]]]: ...


def export_personal_data(uow: UnitOfWork, user_id: UUID) -> dict[str, Any]:
    """Return all sections, at one instant."""
    return {"generated_at": uow.now, "sections": uow.use(PersonalData).of(uow, user_id)}
