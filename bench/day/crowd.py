"""An open crowd: visits begin at random moments (Poisson), however slow the answers; nobody waits for somebody else.

Latency counts from the moment a request was due. Locust's users each wait for their answer before they ask again, so a
slow server is asked less and looks faster than it is; and its some ten milliseconds of CPU a request would be most of
two cores. This takes a quarter of a millisecond.
"""

import asyncio
import random
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.day.people import Unseen, Visitor, Written
from bench.day.plan import PATHS, Phase, requests_a_visit
from bench.day.town import Town
from bench.day.wire import Answer, Wire

# After the last phase, until the last visit is over.
LEAVING = "until all have left"
_CHECK_IN = "check in"
_SHOWN = 200


@dataclass
class Record:
    """What was measured: seconds from due to answered by phase and kind, and what went wrong."""

    latencies: "dict[tuple[str, str], array[float]]" = field(default_factory=lambda: defaultdict(lambda: array("f")))
    # When each phase began last, and how long it was.
    began: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    written: Written = field(default_factory=Written)

    def of(self, *, phase: str | None = None, kind: str | None = None) -> list[float]:
        """Return the latencies of a phase, of a kind, or of all, in order."""
        found: list[float] = []
        for (at, what), seconds in self.latencies.items():
            if phase in {None, at} and kind in {None, what}:
                found += seconds
        return sorted(found)


class Crowd:
    """Lets people come to a server phase by phase; `rate` is requests a second of the busiest."""

    def __init__(self, town: Town, wire: Wire, host: str, rate: float) -> None:
        self.record = Record()
        self._town = town
        self._wire = wire
        self._host = host
        self._rate = rate
        self._phase = ""
        self._visits: set[asyncio.Task[None]] = set()

    async def live(self, phases: Sequence[Phase], seconds: float, *, begun: Callable[[Phase], None]) -> None:
        """Let so many seconds go by, shared out among the phases, and wait until the last visitor has left."""
        loop = asyncio.get_running_loop()
        whole, at = sum(phase.share for phase in phases), loop.time()
        for phase in phases:
            lasts = seconds * phase.share / whole
            self._phase = phase.name
            self.record.seconds[phase.name] = self.record.seconds.get(phase.name, 0) + lasts
            self.record.began[phase.name] = at
            begun(phase)
            await self._arrivals(phase, at, at + lasts)
            at += lasts
        self._phase = LEAVING
        self.record.began[LEAVING] = at
        while self._visits:
            await asyncio.wait(self._visits)
        self.record.seconds[LEAVING] = loop.time() - at

    async def _arrivals(self, phase: Phase, begins: float, ends: float) -> None:
        loop = asyncio.get_running_loop()
        each_second = self._rate * phase.rate / requests_a_visit(phase)
        due, names, weights = begins, list(phase.visits), list(phase.visits.values())
        while (due := due + random.expovariate(each_second)) < ends:
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            [name] = random.choices(names, weights)
            visit = loop.create_task(self._visit(name, due))
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
        await asyncio.sleep(max(0, ends - loop.time()))

    async def _visit(self, name: str, due: float) -> None:
        loop = asyncio.get_running_loop()
        visitor = Visitor(self._town, self._host, self.record.written)
        if name == _CHECK_IN:
            visitor.take_camp()
        for place, step in enumerate(PATHS[name]):
            if random.random() >= step.share or (raw := visitor.ask(step.kind)) is None:
                continue
            if place:
                due += step.pause
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
            phase = self._phase
            answer = await self._wire.ask(raw)
            self.record.latencies[phase, step.kind].append(loop.time() - due)
            if not self._fits(visitor, step.kind, answer):
                return

    def _fits(self, visitor: Visitor, kind: str, answer: Answer) -> bool:
        if not answer.ok:
            self.record.wrong.append(f"{kind}: {answer.status} {answer.body[:_SHOWN].decode(errors='replace')}")
            return False
        try:
            visitor.take(kind, answer)
        except Unseen as unseen:
            self.record.wrong.append(f"{kind}: {unseen} is not there")
            return False
        return True
