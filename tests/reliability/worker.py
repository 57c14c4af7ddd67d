"""`python -m tests.reliability.worker MUTANT queue …`: our workers, or a mutant of them that the harness must catch.

A mutant is a mistake that somebody could make. It is patched in here and nowhere else. With CIRCLE_CALLS in the
environment every charge that is sent is noted in that file, by its number. With CIRCLE_MEETING, a folder and a number,
so many processes claim charges at the same moment, and none of them sends any before all have claimed.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from circle.billing import batches, steps
from circle.billing.batches import Stretch
from circle.billing.providers.base import Order, Outcome
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import attempts, charging
from circle.billing.services.leases import Errand
from circle.kernel.clock import elapsed
from circle.kernel.uow import UnitOfWork, Units
from workers import __main__ as crew

_charge = Sandbox.charge
_MEETING_SECONDS = 600.0
_LATE_SECONDS = 2


def random_key() -> None:
    """Each sending has a key of its own, so the provider can't know that it is the same charge."""
    Sandbox.charge = lambda sandbox, order: _charge(sandbox, replace(order, number=uuid4().hex))


def no_claim() -> None:
    """Charges are read and sent, and nobody is kept from sending them too."""
    charging._CLAIM = text("""
        SELECT a.number, a.provider, a.method_reference, a.amount, a.currency, c.name
        FROM payment_attempts AS a JOIN invoices AS i ON i.id = a.invoice_id JOIN circles AS c ON c.id = i.circle_id
        WHERE a.status = 'created' AND a.provider = ANY (:providers)
        LIMIT :limit
    """)


def no_lease() -> None:
    """Who claims a charge has it for good, also when they die."""
    charging.LEASE = attempts.LEASE = timedelta(days=36500)


def starts_late() -> None:
    """No mistake, but a busy machine: workers are forked long before they can take a signal, and nobody kills them."""
    os.register_at_fork(after_in_child=lambda: time.sleep(_LATE_SECONDS))
    crew._GRACE_SECONDS = _MEETING_SECONDS


MUTANTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "random_key": random_key,
    "no_claim": no_claim,
    "no_lease": no_lease,
    "starts_late": starts_late,
}


def note_charges(path: str) -> None:
    """Write down each charge that is sent."""
    sent = Sandbox.charge

    def noting(sandbox: Sandbox, order: Order) -> Outcome:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{order.number}\n".encode())
        os.close(file)
        return sent(sandbox, order)

    Sandbox.charge = noting


class Meeting:
    """A folder in which processes note how far they are, and wait for each other."""

    def __init__(self, place: str) -> None:
        folder, _, company = place.rpartition(":")
        self._folder, self._company = Path(folder), int(company)

    def note(self, point: str) -> int:
        """Note that this process has come to a point; return how many have."""
        (self._folder / f"{point} {os.getpid()}").touch()
        return len(list(self._folder.glob(f"{point} *")))

    def wait(self, point: str) -> None:
        deadline = elapsed() + _MEETING_SECONDS
        while self.note(point) < self._company:
            if elapsed() > deadline:
                raise TimeoutError(f"nobody else came to {point}")
            time.sleep(0.01)


def charge_together(meeting: Meeting) -> None:
    """Have processes meet before they claim charges, and before they send what they have claimed."""
    claim, settle = charging.claim_charges, steps.settle
    # However long they wait for each other on a busy machine, nobody takes them for dead.
    charging.LEASE = attempts.LEASE = batches.LEASE = timedelta(days=1)

    def claiming(uow: UnitOfWork, *, limit: int) -> list[Errand[Order]]:
        meeting.wait("claiming")
        return claim(uow, limit=limit)

    def settling(units: Units, what: str, stretch: Stretch, errands: Sequence[Errand[Order]]) -> None:
        if what != "charge_poison":
            return settle(units, what, stretch, errands)
        meeting.wait("sending")
        settle(units, what, stretch, errands)
        meeting.note("sent")
        return None

    charging.claim_charges, steps.settle = claiming, settling


if __name__ == "__main__":
    mutant = sys.argv.pop(1)
    MUTANTS[mutant]()
    if calls := os.environ.get("CIRCLE_CALLS"):
        note_charges(calls)
    if place := os.environ.get("CIRCLE_MEETING"):
        charge_together(Meeting(place))
    sys.exit(crew.main())
