"""How the sandbox behaves, and how badly: its payment methods, the network in front of it, its post."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from circle.billing.providers.base import UNKNOWN, Outcome, Retry
from circle.config import SANDBOX_FAULTS, SANDBOX_WEBHOOKS, Settings, figures

T = TypeVar("T")

# What each method does at its first arrival: state, failure code, seconds until a pending one succeeds, and whether
# the answer reaches us.
METHODS: Mapping[str, tuple[str, str | None, int, bool]] = {
    "ok": ("succeeded", None, 0, True),
    "decline_soft": ("failed", "insufficient_funds", 0, True),
    "decline_hard": ("failed", "card_lost", 0, True),
    "needs_auth": ("requires_action", None, 0, True),
    "pending_then_ok": ("processing", None, 60, True),
    "lost_request": ("lost", None, 0, False),
    "lost_answer": ("succeeded", None, 0, False),
    "slow": ("processing", None, 30, False),
}
RETRY: Mapping[str, Retry] = {
    "insufficient_funds": Retry.SOFT,
    "card_lost": Retry.HARD,
    "authentication_required": Retry.AUTH,
    "declined_by_payer": Retry.SOFT,
    "closed": Retry.NEVER,
}


@dataclass(frozen=True, slots=True)
class Manners:
    """What the sandbox does to calls and webhooks: per cent of them, where nothing else is said."""

    # Milliseconds until a call is answered.
    latency_ms: int = 0
    # lost_request, lost_answer, server_error (half of them after the sandbox has acted).
    faults: Mapping[str, int] = field(default_factory=dict)
    # drop, double, shuffle (batches of the post), delay (seconds at most).
    webhooks: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Manners":
        return cls(
            latency_ms=settings.sandbox_latency_ms,
            faults=figures("SANDBOX_FAULTS", settings.sandbox_faults, SANDBOX_FAULTS),
            webhooks=figures("SANDBOX_WEBHOOKS", settings.sandbox_webhooks, SANDBOX_WEBHOOKS),
        )

    def carry(self, act: Callable[[], Outcome]) -> Outcome:
        """Carry a call to the sandbox and its answer back, over a network that is no better than it should be."""
        if self.latency_ms:
            Event().wait(self.latency_ms / 1000)
        fault = _draw(self.faults)
        if fault == "lost_request" or (fault == "server_error" and secrets.randbelow(2)):
            return UNKNOWN
        outcome = act()
        return UNKNOWN if fault else outcome

    def sort(self, letters: list[T]) -> tuple[list[T], list[T]]:
        """Return what the post brings of its letters, in its order and some of them twice, and what it loses."""
        brought: list[T] = []
        lost: list[T] = []
        for letter in letters:
            fate = _draw({name: self.webhooks.get(name, 0) for name in ("drop", "double")})
            if fate == "drop":
                lost.append(letter)
            else:
                brought.extend([letter] * (2 if fate == "double" else 1))
        if _draw({"shuffle": self.webhooks.get("shuffle", 0)}):
            secrets.SystemRandom().shuffle(brought)
        return brought, lost

    def seconds_on_the_way(self) -> int:
        """Return how long the post takes for one webhook."""
        return secrets.randbelow(self.webhooks.get("delay", 0) + 1)


def _draw(percentages: Mapping[str, int]) -> str | None:
    """Return what happens this time; None: nothing."""
    drawn = secrets.randbelow(100)
    for name, percent in percentages.items():
        drawn -= percent
        if drawn < 0:
            return name
    return None
