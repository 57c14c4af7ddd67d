"""State machines as data: one table of allowed moves per object, the same that its docs print."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from circle.kernel.errors import Conflict
from circle.kernel.text import Text

S = TypeVar("S", bound=StrEnum)


class WrongState(Conflict):
    code = "wrong_state"
    text = Text("当前状态“{state}”下不能这样做。", "This can't be done while the state is '{state}'.")


class Machine(Generic[S]):
    """The allowed moves of one kind of object."""

    def __init__(self, name: str, moves: Mapping[S, frozenset[S]]) -> None:
        self.name = name
        self.moves = moves

    def allows(self, old: S, new: S) -> bool:
        return new in self.moves[old]

    def require(self, old: S, new: S) -> S:
        """Return `new` if it may follow `old`; WrongState otherwise."""
        if not self.allows(old, new):
            raise WrongState(state=old.value)
        return new

    def sources(self, new: S) -> tuple[S, ...]:
        """Return every state from which `new` can be reached in one move, for conditional updates."""
        return tuple(old for old, targets in self.moves.items() if new in targets)

    def mermaid(self) -> str:
        """Return the table as a Mermaid state diagram."""
        lines = [f"    {old} --> {new}" for old, targets in self.moves.items() for new in sorted(targets)]
        return "\n".join(["stateDiagram-v2", *lines])
