"""How much the tier does: about a tenth of the gate; all of it with CIRCLE_RELIABILITY=full, little with `small`."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    members: int
    # Renewals under random kills, and how many kills.
    killed_renewals: int
    kills: int
    # Renewals while PostgreSQL is stopped at once, and how often.
    crashed_renewals: int
    crashes: int
    # Renewals over a bad network, and while Valkey is flushed and killed.
    faulty_renewals: int
    flushed_renewals: int
    flushes: int
    queue_kills: int
    # Of the 720 orders of news each so-and-so-many-th is lived, and so many of the newest releases serve beside the
    # migration that followed them.
    each_order: int
    old_releases: int
    # Histories of check-ins that are counted in three ways, and years of one member's life in each time zone.
    histories: int
    years: int


_SIZES = {
    "small": Sizes(30, 60, 5, 60, 2, 60, 60, 4, 1, 40, 1, 250, 1),
    "default": Sizes(100, 500, 20, 300, 3, 300, 300, 8, 2, 4, 3, 2_000, 4),
    "full": Sizes(1_000, 10_000, 200, 3_000, 10, 3_000, 3_000, 20, 5, 1, 100, 10_000, 20),
}
SIZES = _SIZES[os.environ.get("CIRCLE_RELIABILITY", "default")]
