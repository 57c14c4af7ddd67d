"""What happened to circles."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CircleClosed:
    """Nobody joins, renews or writes any more; what is there stays readable."""

    circle_id: UUID


@dataclass(frozen=True, slots=True)
class CircleReopened:
    circle_id: UUID
