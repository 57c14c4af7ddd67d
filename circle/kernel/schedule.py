"""A row of the clock's table. It stands alone, so that the clock process stays small."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The job is rung every so many seconds, whatever else rings it."""

    job: str
    seconds: int
    what_for: str
