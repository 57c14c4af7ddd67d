"""What clients saw: how many requests failed, for how long nothing of a kind went well."""

from collections import Counter
from itertools import pairwise
from typing import Any

READS = frozenset({"feed", "page", "search", "own", "me"})
_REFUSED, _SERVER_ERROR = 400, 500


class Seen:
    """All requests of a run, and the moment at which something was done to the cluster."""

    def __init__(self, kept: dict[str, Any], acted: float) -> None:
        self.requests = sorted(kept["seen"], key=lambda one: one["at"])
        self.posted: dict[str, str] = kept["posted"]
        self.paid: list[str] = kept["paid"]
        # Posts that their own author did not find at once.
        self.missing: list[str] = kept["missing"]
        self.acted = acted
        # What was promised and is not there; what is there more than once. See `Cluster.settled`.
        self.lost = self.twice = 0

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [one for one in self.requests if one["status"] == 0 or one["status"] >= _SERVER_ERROR]

    def gap(self, *, reads: bool) -> float:
        """The longest time in which nothing was answered well that was asked in it."""
        good = [
            one["at"] for one in self.requests if (one["what"] in READS) == reads and 0 < one["status"] < _SERVER_ERROR
        ]
        return max((later - before for before, later in pairwise(good)), default=0.0)

    def outage(self, *, reads: bool) -> float:
        """From the act to the last failure of the kind; 0 where none failed."""
        failed = [one["at"] for one in self.failed if (one["what"] in READS) == reads and one["at"] >= self.acted]
        return max(failed) - self.acted if failed else 0.0

    def slow(self, share: float = 0.99) -> float:
        """So many seconds at most took this share of the requests."""
        took = sorted(one["at"] - one["sent"] for one in self.requests)
        return float(took[min(len(took) - 1, int(len(took) * share))])

    def longest(self) -> float:
        """How long the slowest request took, answered or not."""
        return max(float(one["at"] - one["sent"]) for one in self.requests)

    def waited_for(self, moment: float, least: float) -> list[dict[str, Any]]:
        """Requests that were under way at a moment, and had no answer for so long after it."""
        return [one for one in self.requests if one["sent"] < moment and one["at"] > moment + least]

    def went_through(self, requests: list[dict[str, Any]]) -> float:
        """When the last of some writes, tried again with its key, was answered well."""
        keys = {one["key"] for one in requests}
        well = {one["key"]: one["at"] for one in self.requests if one["key"] in keys and 0 < one["status"] < _REFUSED}
        assert well.keys() == keys
        return float(max(well.values()))

    def kinds(self) -> str:
        """What failures were, the most frequent first."""
        found = Counter((one["status"] or str(one["code"])[:40]) for one in self.failed)
        return ", ".join(f"{count} × {what}" for what, count in found.most_common(4)) or "none"

    def __str__(self) -> str:
        seconds = self.requests[-1]["at"] - self.requests[0]["sent"]
        return (
            f"{len(self.requests)} requests in {seconds:.0f} s, failed {len(self.failed)} ({self.kinds()}); "
            f"longest time without a good read {self.gap(reads=True):.1f} s, write {self.gap(reads=False):.1f} s; "
            f"last failed read {self.outage(reads=True):.1f} s, write {self.outage(reads=False):.1f} s after it; "
            f"p99 {1000 * self.slow():.0f} ms, longest {self.longest():.1f} s"
        )
