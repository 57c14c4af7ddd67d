"""A day as data: what people do one after the other, and who comes when.

A visit is a path of steps; a step is due a pause after the one before was due, whatever that one's answer took.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A request of a kind (`people.py` says which), so many seconds after the step before, by so many people in one."""

    kind: str
    pause: float = 1.0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the day: its share of the time, its rate beside the busiest, and which visits are how frequent.

    `renewals` are charged in it.
    """

    name: str
    share: float
    rate: float
    visits: Mapping[str, float]
    renewals: bool = False


# What begins so is not judged.
RAMP = "towards"
_OPEN = (Step("circles"), Step("unread", 0.4), Step("feed", 0.4))
PATHS: Mapping[str, tuple[Step, ...]] = {
    "read": (
        *_OPEN,
        Step("post", 2.0),
        Step("mark read", 3.0),
        Step("comments", 0.5, 0.7),
        Step("feed, older", 3.0, 0.6),
        Step("post", 2.0, 0.6),
        Step("mark read", 3.0, 0.6),
        Step("comments", 0.5, 0.4),
        Step("related", 1.0, 0.2),
        Step("react", 1.0, 0.3),
    ),
    "check in": (
        Step("camp"),
        Step("calendar", 0.5, 0.3),
        Step("check in", 2.0),
        Step("camp, done", 0.5),
        Step("ranking", 1.0, 0.6),
        Step("entries", 1.0, 0.6),
    ),
    "write": (*_OPEN, Step("write", 3.0), Step("own post", 0.5), Step("feed, with mine", 0.5)),
    "comment": (
        *_OPEN,
        Step("post", 2.0),
        Step("comments", 1.0),
        Step("comment", 3.0),
        Step("comments, with mine", 0.5),
    ),
    "search": (Step("search a circle"), Step("post", 2.0), Step("search all", 2.0, 0.4), Step("post", 2.0, 0.4)),
    "inbox": (Step("notices"), Step("notices read", 1.0, 0.7), Step("circles", 1.0, 0.3)),
}
DAY = (
    Phase("night", 0.15, 0.15, {"read": 0.8, "inbox": 0.2}, renewals=True),
    Phase("morning", 0.20, 1.0, {"check in": 0.60, "read": 0.28, "inbox": 0.06, "write": 0.02, "comment": 0.04}),
    Phase(
        "working hours",
        0.25,
        0.6,
        {"read": 0.50, "search": 0.20, "check in": 0.08, "inbox": 0.10, "write": 0.04, "comment": 0.08},
    ),
    Phase(
        "noon",
        0.10,
        0.8,
        {"read": 0.55, "search": 0.08, "check in": 0.10, "inbox": 0.12, "write": 0.05, "comment": 0.10},
    ),
    Phase(
        "evening",
        0.25,
        1.0,
        {"read": 0.42, "search": 0.14, "check in": 0.08, "inbox": 0.10, "write": 0.10, "comment": 0.16},
    ),
    Phase("late", 0.05, 0.3, {"read": 0.75, "search": 0.05, "check in": 0.10, "inbox": 0.10}),
)


def requests_a_visit(phase: Phase) -> float:
    """Return how many requests a visit of the phase makes on average."""
    whole = sum(phase.visits.values())
    return sum(weight / whole * sum(step.share for step in PATHS[name]) for name, weight in phase.visits.items())
