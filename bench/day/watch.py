"""What the installation takes and owes meanwhile: memory by part of it, and work that waits."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from bench.whole import MEGABYTE, Whole, cpu_seconds, memory

# Of these parts memory has to stay flat; PostgreSQL's grows until its buffers are full.
JUDGED = ("web", "worker", "clock")
CROWD = "the crowd itself"
# The last quarter of the time may take so much of the second.
FLAT = 1.05
_LOOKS = 90
_SHORTEST_SECONDS, _LONGEST_SECONDS = 2.0, 15.0
_PROBE_EVERY_SECONDS = 1.0
_OWED = """
SELECT (SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND failed_at IS NULL AND due_at <= now()) AS outbox,
    (SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM outbox
     WHERE delivered_at IS NULL AND failed_at IS NULL AND due_at <= now()) AS outbox_age,
    (SELECT count(*) FROM search_due WHERE kind <> 'words') AS search,
    (SELECT count(*) FROM invoices WHERE status = 'open' AND charge_at <= now()) AS renewals
"""


@dataclass
class Watch:
    """What was seen at each look."""

    memory: list[dict[str, float]] = field(default_factory=list)
    most_owed: dict[str, float] = field(default_factory=dict)
    # Seconds of CPU of each part, and of the crowd itself.
    cpu: dict[str, float] = field(default_factory=dict)
    # When a fixed piece of work was done, and how many seconds of CPU it took: a machine is not always as fast.
    probes: list[tuple[float, float]] = field(default_factory=list)

    def slowness(self, begins: float, ends: float) -> float:
        """Return how much longer the fixed work took then (median) than at its fastest (the best twentieth)."""
        fastest = sorted(taken for _, taken in self.probes)
        then = [taken for at, taken in self.probes if begins <= at < ends]
        return statistics.median(then) / fastest[len(fastest) // 20] if then else 0.0

    def quarter(self, part: str, number: int) -> float:
        """Return the median MiB of a part in the first, second, third or last quarter."""
        looks = [one.get(part, 0.0) for one in self.memory]
        size = len(looks) / 4
        return statistics.median(looks[int(size * (number - 1)) : max(int(size * number), 1)] or [0.0])

    def grows(self) -> list[str]:
        """Return the judged parts that took more in the last quarter than in the second."""
        return [part for part in JUDGED if self.quarter(part, 4) > FLAT * self.quarter(part, 2)]


@contextmanager
def watching(run: Whole, engine: Engine, seconds: float) -> Iterator[Watch]:
    watch, is_over = Watch(), threading.Event()
    every = min(max(seconds / _LOOKS, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    watcher = threading.Thread(target=_look, args=(run, engine, watch, is_over, every))
    watcher.start()
    before = _cpu(run)
    try:
        yield watch
    finally:
        watch.cpu = {part: taken - before.get(part, 0.0) for part, taken in _cpu(run).items()}
        is_over.set()
        watcher.join()


def owed(engine: Engine) -> dict[str, float]:
    """Return how much is due and not done."""
    with engine.connect() as connection:
        row = connection.execute(text(_OWED)).mappings().one()
        return {name: float(count) for name, count in row.items()}


def settled(engine: Engine, patience: float) -> float:
    """Wait until nothing is owed, and return how many seconds that took. Errors: SystemExit."""
    began = time.monotonic()
    while any((left := owed(engine)).values()):
        if time.monotonic() - began > patience:
            raise SystemExit(f"  after {patience:.0f} s there is still work that is due: {left}")
        time.sleep(0.5)
    return time.monotonic() - began


def _cpu(run: Whole) -> dict[str, float]:
    return {**cpu_seconds(run), CROWD: time.process_time()}


def _probe() -> tuple[float, float]:
    """Reckon for a millisecond or so, without memory: that would tell of this process rather than of the machine."""
    began, number = time.thread_time(), 1
    for _ in range(20_000):
        number = (number * 48_271) % 65_537
    return time.monotonic(), time.thread_time() - began


def _look(run: Whole, engine: Engine, watch: Watch, is_over: threading.Event, every: float) -> None:
    look_at = time.monotonic() + every
    while not is_over.wait(_PROBE_EVERY_SECONDS):
        watch.probes.append(_probe())
        if time.monotonic() < look_at:
            continue
        look_at += every
        watch.memory.append({part: used / MEGABYTE for part, used in memory(run).pss.items()})
        for name, count in owed(engine).items():
            watch.most_owed[name] = max(count, watch.most_owed.get(name, 0.0))
