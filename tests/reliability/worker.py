"""`python -m tests.reliability.worker MUTANT queue …`: our workers, or a mutant of them that the harness must catch.

A mutant is a mistake that somebody could make. It is patched in here and nowhere else. With CIRCLE_CALLS in the
environment every charge that is sent is noted in that file, by its number.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from circle.billing.providers.base import Order, Outcome
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import attempts, charging
from workers.__main__ import main

_charge = Sandbox.charge


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


MUTANTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "random_key": random_key,
    "no_claim": no_claim,
    "no_lease": no_lease,
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


if __name__ == "__main__":
    mutant = sys.argv.pop(1)
    MUTANTS[mutant]()
    if calls := os.environ.get("CIRCLE_CALLS"):
        note_charges(calls)
    sys.exit(main())
