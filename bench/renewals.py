"""Renewals: the billing step, settlements by real workers, charges in flight, memory; each beside its raw reference.

`--subscriptions 1000000` is the full size and takes some minutes more; the default is a tenth of that. In each round
ours and the reference work on rows of their own, so that a noisy minute and a growing table hurt both alike.
"""

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from redis import Redis
from sqlalchemy import Engine, text

from bench.crew import crews
from bench.installation import ROOT, installation, without_foreign_keys
from bench.renewals_raw import ACCOUNTS, BILL
from bench.report import heading
from circle import jobs
from circle.app import create_app
from circle.config import Settings
from circle.kernel.queue import RqDoorbell, SilentDoorbell
from circle.kernel.uow import Units
from circle.web.connections import close_connections

FILL = Path(__file__).with_name("renewals.sql")
FAR_AWAY_MS = 200
ROUNDS = 5
# Of a round's subscriptions the reference bills so many per cent.
_RAW_PERCENT = 10
_BATCH = 500
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Sizes:
    subscriptions: int
    settle: int
    far: int
    workers: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--subscriptions", type=int, default=100_000, help="to bill")
    arguments.add_argument("--settle", type=int, default=1_000, help="to settle in each of five rounds")
    arguments.add_argument("--far", type=int, default=400, help=f"to settle with a sandbox {FAR_AWAY_MS} ms away")
    arguments.add_argument("--workers", type=int, default=2, help="worker processes, and raw loops beside them")
    chosen = Sizes(**vars(arguments.parse_args()))
    heading(f"Renewals of {chosen.subscriptions:,} subscriptions")
    name = f"renewals_{chosen.subscriptions}_{time.time_ns() % 10**6}"
    with installation(name, keep=False) as (engine, environment):
        measure(engine, environment, chosen)


def measure(engine: Engine, environment: Mapping[str, str], sizes: Sizes) -> None:
    fill(engine, sizes.subscriptions)
    app = create_app(Settings.from_env(environment), doorbell=SilentDoorbell())
    # As workers do: what was made at the start is not looked through again and again.
    gc.freeze()
    with app.app_context():
        bill(engine, app, sizes.subscriptions)
        settle(engine, app, environment, sizes)
        settle_far_away(engine, app, environment, sizes.far)
        end(engine, app, sizes.settle)
        close_connections()


def fill(engine: Engine, subscriptions: int) -> None:
    print(f"  filling {subscriptions:,} subscriptions ...", flush=True)
    with engine.connect() as connection:
        with without_foreign_keys(connection):
            for statement in FILL.read_text(encoding="utf-8").split(";\n"):
                connection.execute(text(statement), {"subscriptions": subscriptions})
            connection.execute(text(ACCOUNTS))
        connection.execute(text("VACUUM ANALYZE"))


def bill(engine: Engine, app: Flask, subscriptions: int) -> None:
    """Bill all, a tenth of them by raw SQL, taken from the other end."""
    share = subscriptions * _RAW_PERCENT // 100 // ROUNDS
    work(app, "bill", at_most=_BATCH)
    raw(engine, 1, _BATCH)
    ours, theirs, done = [], [], _BATCH
    for number in range(ROUNDS):
        theirs.append(raw(engine, done + 1, done + share))
        done += share
        rest = subscriptions - subscriptions * _RAW_PERCENT // 100 - 2 * _BATCH
        ours.append(work(app, "bill", at_most=rest // ROUNDS))
        print(f"    round {number + 1}: {ours[-1]:,.0f}/s, raw {theirs[-1]:,.0f}/s", flush=True)
    tell("billing step", ours, theirs)


def raw(engine: Engine, first: int, last: int) -> float:
    began = time.perf_counter()
    with engine.connect() as connection:
        for n in range(first, last + 1, _BATCH):
            connection.execute(text(BILL), {"first": n, "last": min(n + _BATCH - 1, last)})
    return (last - first + 1) / (time.perf_counter() - began)


def settle(engine: Engine, app: Flask, environment: Mapping[str, str], sizes: Sizes) -> None:
    """Settle by real workers on real queues, and by as many raw loops."""
    ours, theirs = [], []
    with crews(engine, environment, "billing", number=sizes.workers) as watch:
        settled(engine, environment, plan(engine, app, _BATCH // 5))
        for number in range(ROUNDS):
            ours.append(settled(engine, environment, plan(engine, app, sizes.settle)))
            theirs.append(raw_loops(engine, plan(engine, app, sizes.settle, for_workers=False), sizes.workers))
            print(f"    round {number + 1}: {ours[-1]:,.0f}/s, raw {theirs[-1]:,.0f}/s", flush=True)
    tell(f"settlements, {sizes.workers} workers, sandbox at once", ours, theirs)
    print(f"  {watch}")


def settle_far_away(engine: Engine, app: Flask, environment: Mapping[str, str], many: int) -> None:
    with crews(engine, {**environment, "SANDBOX_LATENCY_MS": str(FAR_AWAY_MS)}, "billing", number=1) as watch:
        settled(engine, environment, plan(engine, app, _BATCH // 10))
        rate = settled(engine, environment, plan(engine, app, many))
    print(f"  {f'settlements, 1 worker, sandbox at {FAR_AWAY_MS} ms':<44} {rate:10,.0f}/s")
    print(f"  {watch}")


def end(engine: Engine, app: Flask, many: int) -> None:
    """Past due, reminded, given up: what unpaid renewals of many members come to, in this process."""
    changes = {
        "past due: end": "UPDATE subscriptions SET current_period_end = now() - interval '1 hour' WHERE id = ANY (:s)",
        "warned: remind": "UPDATE invoices SET remind_at = now() WHERE subscription_id = ANY (:s) AND status = 'open'",
        "given up: end": "UPDATE invoices SET due_at = now() - interval '9 days', charge_at = NULL"
        " WHERE subscription_id = ANY (:s) AND status = 'open'",
    }
    for what, change in changes.items():
        with engine.connect() as connection:
            connection.execute(text(change), {"s": unpaid(engine, many)})
            connection.execute(text("ANALYZE subscriptions, invoices"))
        rate = work(app, what.partition(": ")[2], at_most=many)
        print(f"  {f'{what}, one process':<44} {rate:10,.0f}/s", flush=True)


def unpaid(engine: Engine, many: int) -> list[str]:
    wanted = text(
        "SELECT s.id FROM subscriptions AS s JOIN invoices AS i ON i.subscription_id = s.id"
        " WHERE i.status = 'open' AND i.number NOT LIKE 'R%' AND s.status IN ('active', 'past_due') ORDER BY s.id"
        " LIMIT :many"
    )
    with engine.connect() as connection:
        return [row.id for row in connection.execute(wanted, {"many": many})]


def plan(engine: Engine, app: Flask, many: int, *, for_workers: bool = True) -> list[str]:
    """Let so many renewals be charged now; return their numbers. Those of the raw loops the workers leave alone."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "UPDATE invoices SET noticed_at = now() - interval '8 days', charge_at = now() WHERE id IN"
                " (SELECT id FROM invoices WHERE status = 'open' AND charge_at > now() LIMIT :many)"
            ),
            {"many": many},
        )
        work(app, "bill", at_most=many)
        planned = connection.execute(
            text(
                "UPDATE payment_attempts SET lease_until = now() + CAST(:wait AS interval)"
                " WHERE status = 'created' AND lease_until <= now() RETURNING number"
            ),
            {"wait": "0" if for_workers else "1 day"},
        )
        return [row.number for row in planned]


def settled(engine: Engine, environment: Mapping[str, str], numbers: list[str]) -> float:
    """Ring, and return how many a second the workers settle until none is left."""
    left = text("SELECT count(*) FROM payment_attempts WHERE number = ANY (:numbers) AND status <> 'succeeded'")
    began = time.perf_counter()
    RqDoorbell(Redis.from_url(environment["REDIS_URL"])).ring("billing.charge")
    with engine.connect() as connection:
        while waiting := connection.scalar(left, {"numbers": numbers}):
            if time.perf_counter() - began > _PATIENCE_SECONDS:
                raise RuntimeError(f"{waiting} renewals are not settled")
            time.sleep(0.05)
    return len(numbers) / (time.perf_counter() - began)


def raw_loops(engine: Engine, numbers: list[str], loops: int) -> float:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    running = [
        subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "bench.renewals_raw", url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(loops)
    ]
    for loop in running:
        assert loop.stdout is not None  # noqa: S101 - for the type checker
        loop.stdout.readline()
    began = time.perf_counter()
    for place, loop in enumerate(running):
        assert loop.stdin is not None  # noqa: S101 - for the type checker
        loop.stdin.write("".join(f"{number}\n" for number in numbers[place::loops]))
        loop.stdin.close()
    for loop in running:
        loop.wait()
    return len(numbers) / (time.perf_counter() - began)


def work(app: Flask, name: str, *, at_most: int) -> float:
    """Run a job in this process until it finds nothing; return rows a second."""
    job, rows = jobs.load_job(f"billing.{name}"), 0
    units: Units = app.extensions["circle"].units
    began = time.perf_counter()
    while rows < at_most and (done := job.run(units)):
        rows += done
    return rows / (time.perf_counter() - began)


def tell(what: str, ours: list[float], theirs: list[float]) -> None:
    ratio = statistics.median(mine / yours for mine, yours in zip(ours, theirs, strict=True))
    reference = f"raw {statistics.median(theirs):,.0f}/s"
    print(f"  {what:<44} {statistics.median(ours):10,.0f}/s   {ratio:.2f} of {reference}", flush=True)


if __name__ == "__main__":
    main()
