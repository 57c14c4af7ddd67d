"""How long whoever works on a row has it to themselves, and when to look again at what has no answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from circle.kernel.uow import UnitOfWork

# Longer than any provider's time-out, so that nobody else asks while the first still waits.
LEASE = timedelta(minutes=2)
_LONGEST_WAIT = timedelta(hours=1)
# Providers remember a key for a day at least; past this the same key is only asked about, never sent again.
SEND_FOR = timedelta(hours=20)
# One batch of a job that talks to a provider.
BATCH = 50


class Numbered(Protocol):
    """What is asked for at a provider under a number of ours."""

    @property
    def number(self) -> str: ...


T = TypeVar("T", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Errand(Generic[T]):
    """A claimed order and how to run it: claimed in one unit, run outside, its outcome applied in another."""

    order: T
    # Sent before without an answer.
    ask_first: bool = False
    may_send: bool = True
    # Nothing is to be paid any more: close it at the provider.
    give_up: bool = False

    @property
    def number(self) -> str:
        return self.order.number


def next_look(uow: UnitOfWork, tries: int) -> datetime:
    """Return when to ask again: after 2, 4, 8 … minutes, an hour at most."""
    doublings: int = min(max(tries - 1, 0), 10)
    return uow.now + min(LEASE * (1 << doublings), _LONGEST_WAIT)
