"""A real day in some minutes: an installation as `circle up` runs it, 20,000 people, an open crowd, renewals at night.

Morning check-ins, reading, posting, searching, and what workers make of it. `--rate` is requests a second of the
busiest hours; `--find` looks for the highest that keeps their p99 under 300 ms. Says by phase and by kind how long
answers took from the moment they were due, whether memory stayed flat, and whether all that was answered for is there.
Rate limits are on. The filled database is kept in the data folder for the next run.
"""

import argparse
import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine, create_engine

from bench.day import telling
from bench.day.crowd import Crowd, Record
from bench.day.plan import DAY, RAMP, Phase
from bench.day.town import FILLED, Town, fall, prepare
from bench.day.truth import doctor, untruths
from bench.day.watch import settled, watching
from bench.day.wire import Wire
from bench.installation import ROOT
from bench.report import heading
from bench.whole import Whole, whole

DATA = ROOT / ".data" / "day"
P99_SECONDS = 0.3
_PATIENCE_SECONDS = 180.0
_WARM_UP_SECONDS = 8.0
_WARM_UP_RATE = 20.0
# `--find`: what each step multiplies the rate by, and the finer one afterwards.
_COARSE, _FINE = 1.3, 1.1
_WARM_UP = (Phase("warm-up", 1.0, 1.0, {"read": 0.8, "search": 0.2}),)
# Each of the busiest hours, after a while in which visits begin and none ends.
_BUSIEST = tuple(
    replace(phase, name=name, share=share)
    for phase in DAY
    if phase.rate == max(one.rate for one in DAY)
    for name, share in ((f"{RAMP} {phase.name}", 1), (phase.name, 2))
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=3.0, help="how long the day is")
    arguments.add_argument("--rate", type=float, default=60.0, help="requests a second of the busiest hours")
    arguments.add_argument("--renewals", type=int, default=3_000, help="subscriptions that end in the night")
    arguments.add_argument("--find", action="store_true", help="raise the rate step by step instead, from --rate on")
    arguments.add_argument("--step", type=float, default=60.0, help="seconds of a step of --find")
    arguments.add_argument("--data", type=Path, default=DATA, help="the data folder of the installation")
    arguments.add_argument("--port", type=int, default=8940)
    chosen = arguments.parse_args()
    seconds = chosen.minutes * 60
    environ = {"USUAL_CHARGES": str(chosen.renewals)}
    dark = sum(phase.share for phase in DAY if phase.renewals) / sum(phase.share for phase in DAY)
    heading(f"A day of {FILLED['people']:,} people in {FILLED['circles']} circles")
    town = prepare(chosen.data, environ, renewals=chosen.renewals, night_seconds=seconds * dark)
    gc.freeze()
    with whole(chosen.data, port=chosen.port, environ=environ, log=chosen.data / "up.log") as run:
        engine = create_engine(run.settings["DATABASE_URL"], isolation_level="AUTOCOMMIT")
        if chosen.find:
            find(run, town, engine, rate=chosen.rate, seconds=chosen.step)
        else:
            live(run, town, engine, rate=chosen.rate, seconds=seconds, renewals=chosen.renewals)
        engine.dispose()


def live(run: Whole, town: Town, engine: Engine, *, rate: float, seconds: float, renewals: int) -> None:
    """Let a whole day go by, and tell of it."""
    asyncio.run(_live(run, town, _WARM_UP, rate=_WARM_UP_RATE, seconds=_WARM_UP_SECONDS))
    began = datetime.now(UTC)
    with watching(run, engine, seconds) as watch:
        record = asyncio.run(_live(run, town, DAY, rate=rate, seconds=seconds, night=lambda: fall(engine)))
    after = settled(engine, _PATIENCE_SECONDS)
    telling.phases(record, watch)
    telling.kinds(record)
    telling.parts(record, watch)
    telling.work(watch, record.written, renewals=renewals, after=after)
    wrong = [*record.wrong, *untruths(engine, record.written, began=began), *doctor(run.settings)]
    telling.verdict(record, watch, wrong, p99_seconds=P99_SECONDS)


def find(run: Whole, town: Town, engine: Engine, *, rate: float, seconds: float) -> None:
    """Raise the rate of the busiest hours until their p99 is too long, then finer; name the highest that held."""
    asyncio.run(_live(run, town, _WARM_UP, rate=_WARM_UP_RATE, seconds=_WARM_UP_SECONDS))
    held, factor = 0.0, _COARSE
    while True:
        if _holds(run, town, engine, rate, seconds):
            held, rate = rate, rate * factor
        elif factor == _COARSE and held:
            rate, factor = held * _FINE, _FINE
        else:
            break
    print(f"  the highest rate that held p99 < {P99_SECONDS * 1000:.0f} ms: {held:.0f}/s", flush=True)


def _holds(run: Whole, town: Town, engine: Engine, rate: float, seconds: float) -> bool:
    record = asyncio.run(_live(run, town, _BUSIEST, rate=rate, seconds=seconds))
    after = settled(engine, _PATIENCE_SECONDS)
    print(f"  {rate:5.0f}/s: {telling.shortly(record)}; all work done after {after:.1f} s", flush=True)
    telling.complain(record.wrong)
    return not record.wrong and telling.worst_p99(record) < P99_SECONDS


async def _live(
    run: Whole,
    town: Town,
    phases: Sequence[Phase],
    *,
    rate: float,
    seconds: float,
    night: Callable[[], None] = lambda: None,
) -> Record:
    address = urlsplit(run.base_url)
    wire = Wire(str(address.hostname), int(address.port or 80))
    crowd = Crowd(town, wire, address.netloc, rate)
    await crowd.live(phases, seconds, begun=lambda phase: night() if phase.renewals else None)
    wire.close()
    return crowd.record


if __name__ == "__main__":
    main()
