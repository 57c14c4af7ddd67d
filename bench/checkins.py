"""Morning burst: 10,000 members check in at once while rankings are read; and certificates a second.

The reference is a raw prepared INSERT … ON CONFLICT of the day's row over HTTP in the same server. Each round is a
camp of its own, in which every member checks in once. `--small` has 1,000 members.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from bench.installation import installation, serving
from bench.load import Request, Result, _Connection
from bench.report import heading
from circle.checkins.printing import Press, Print, press_for
from circle.checkins.services.rebuilding import DERIVED

FILL = Path(__file__).with_name("checkins.sql")
ZONE = ZoneInfo("Asia/Shanghai")
RANKINGS_A_SECOND = 20
CERTIFICATES = 100
BATCH = 20


class _OnceEach(_Connection):
    """Sends what is left in the queue, until it is empty."""

    def __init__(self, queue: "deque[Request]", latencies: list[float]) -> None:
        super().__init__([], float("inf"), latencies)
        self._queue = queue

    def _send(self) -> None:
        if not self._queue:
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(self._queue.popleft().raw)


class _Paced(_Connection):
    """Sends one request at a time, so many a second whatever the answers take, until it is told to stop."""

    stopped = False
    _next = 0.0

    def _send(self) -> None:
        now = time.perf_counter()
        self._next = max(self._next + 1 / RANKINGS_A_SECOND, now)
        asyncio.get_running_loop().call_later(self._next - now, self._send_now)

    def _send_now(self) -> None:
        if self.stopped:
            self._transport.close()
        else:
            super()._send()


async def _burst(url: str, requests: list[Request], rankings: list[Request], connections: int) -> tuple[Result, Result]:
    loop, split = asyncio.get_running_loop(), urlsplit(url)
    queue, latencies, reading = deque(random.sample(requests, len(requests))), list[float](), list[float]()
    began = time.perf_counter()
    senders = [
        (await loop.create_connection(lambda: _OnceEach(queue, latencies), split.hostname, split.port))[1]
        for _ in range(connections)
    ]
    readers = []
    if rankings:
        _, reader = await loop.create_connection(
            lambda: _Paced(rankings, float("inf"), reading), split.hostname, split.port
        )
        readers.append(reader)
    await asyncio.gather(*(sender.done for sender in senders))
    elapsed = time.perf_counter() - began
    for reader in readers:
        reader.stopped = True
    await asyncio.gather(*(reader.done for reader in readers))
    return _result(latencies, elapsed, senders), _result(reading or [0.0], elapsed, readers)


def _result(latencies: list[float], elapsed: float, connections: list) -> Result:
    ordered = sorted(latencies)
    return Result(
        rate=len(ordered) / elapsed,
        p50=statistics.median(ordered) * 1000,
        p99=ordered[int(len(ordered) * 0.99)] * 1000,
        failed=sum(one.failed for one in connections),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true")
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    members = 1_000 if chosen.small else 10_000
    today = datetime.now(ZONE).date()
    heading(f"Morning burst of {members:,} members")
    name = f"checkins_{members}_{today:%m%d}_{random.randrange(10**6)}"
    with installation(name) as (engine, environment):
        _fill(engine, members=members, camps=2 * chosen.rounds + 2, today=today)
        with serving(environment) as base:
            _compare(engine, base, members=members, rounds=chosen.rounds, today=today)
    _print_certificates()


def _fill(engine: Engine, *, members: int, camps: int, today: date) -> None:
    print(f"  filling {camps} camps of {members:,} members ...", flush=True)
    with engine.connect() as connection:
        for statement in FILL.read_text(encoding="utf-8").split(";\n"):
            connection.execute(
                text(statement.replace(":today", f"DATE '{today}'")), {"members": members, "camps": camps}
            )
        connection.execute(text("VACUUM ANALYZE"))


def _compare(engine: Engine, base: str, *, members: int, rounds: int, today: date) -> None:
    body = json.dumps({"body": "清晨五点半，窗外有鸟，写下今天的第一段话。"}, ensure_ascii=False).encode()
    camps = _camps()
    raw, ours, reads = [], [], []
    for lap in range(rounds + 1):
        reference, measured = next(camps), next(camps)
        inserts = [
            Request.to(f"{base}/raw/check-ins/{reference}/{user_id(n)}/{today}", method="POST")
            for n in range(1, members + 1)
        ]
        check_ins = [
            Request.to(f"{base}/v1/camps/{measured}/check-ins", token=token(n), method="POST", body=body)
            for n in range(1, members + 1)
        ]
        rankings = [Request.to(f"{base}/v1/camps/{measured}/rankings?by=streak", token=token(n)) for n in range(1, 50)]
        by_raw, _ = asyncio.run(_burst(base, inserts, [], 16))
        by_us, by_readers = asyncio.run(_burst(base, check_ins, rankings, 16))
        _require_exact(engine, measured, members, today)
        if lap:  # the first warms caches, plans and connections
            raw.append(by_raw)
            ours.append(by_us)
            reads.append(by_readers)
    for label, found in (("raw INSERT … ON CONFLICT", raw), ("check-in", ours), ("rankings meanwhile", reads)):
        print(f"  {label:<34} {sorted(found, key=lambda result: result.rate)[len(found) // 2]}")
    ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in zip(ours, raw, strict=True))
    print(f"  check-in: {ratio:.2f} of raw; 0 lost, 0 double, ranking and figures exact")


def _camps() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield str(uuid.UUID(f"00000008-0000-7000-8000-{number:012x}"))


def user_id(n: int) -> str:
    return f"00000001-0000-7000-8000-{n:012x}"


def token(n: int) -> str:
    return f"cs_{n:043d}"


def _require_exact(engine: Engine, camp_id: str, members: int, today: date) -> None:
    """Count the days, and compare every cached figure with what the day rows say."""
    told = {"camp_id": camp_id, "times": None, "today": today}
    with engine.connect() as connection:
        done = connection.scalar(
            text("SELECT count(*) FROM check_in_days WHERE camp_id = :camp_id AND day = :today"), told
        )
        entries = connection.scalar(text("SELECT count(*) FROM check_ins WHERE camp_id = :camp_id"), told)
        wrong = connection.scalar(
            text(
                f"{DERIVED} SELECT count(*) FROM derived JOIN camp_standings AS s USING (user_id)"
                " WHERE s.camp_id = :camp_id AND (s.streak, s.run, s.longest, s.total, s.alive_until)"
                " IS DISTINCT FROM (derived.streak, derived.run, derived.longest, derived.total, derived.alive_until)"
            ),
            told,
        )
    if (done, entries, wrong) != (members, members, 0):
        raise SystemExit(f"lost or doubled: {done} days, {entries} entries, {wrong} wrong figures of {members}")


def _print_certificates() -> None:
    """Print PDF and PNG of many people, in batches as the worker does."""
    prints = [
        Print(f"林晓{chr(0x4E00 + 37 * n)}", "21 天晨间写作营", "晨间写作", 21, "2026-03-01", "2026-03-21",
              "2026-03-21", f"{n:014d}", f"https://circle.example.org/certificates/{n:014d}")
        for n in range(CERTIFICATES)
    ]  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, CERTIFICATES, BATCH):
        batch = prints[start : start + BATCH]
        with press_for(batch) as press:
            for one in batch:
                Press.png(press.pdf(one))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate, by_cpu = CERTIFICATES / wall, CERTIFICATES / cpu
    print(f"  certificates (PDF and PNG)         {rate:8.1f}/s by one worker ({by_cpu:.1f} by its CPU time)")


if __name__ == "__main__":
    main()
