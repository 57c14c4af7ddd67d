"""Renewals: the billing step against the same rows inserted by raw SQL; settlements a second; charges in flight.

`--subscriptions 1000000` is the full size; the default is a tenth of that. Settlement is measured in this one process,
with the sandbox answering at once and after 200 ms.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
from flask import Flask
from sqlalchemy import Engine, text

from bench.installation import installation
from bench.report import heading
from circle import jobs
from circle.app import create_app
from circle.config import Settings
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Units

FILL = Path(__file__).with_name("renewals.sql")
FAR_AWAY_MS = 200

# The same rows as a billing step writes, from nothing that has to be looked up or locked.
RAW = (
    """
    INSERT INTO invoices (id, number, kind, circle_id, payer_id, membership_id, subscription_id, price_id, tier_id,
        status, amount, currency, period_no, period_start, period_end, due_at, noticed_at, charge_at, covered_until,
        platform_fee, refunded, refunding, created_at)
    SELECT uuid_v7(), 'R' || id, 'renewal', circle_id, user_id, membership_id, id, price_id, tier_id, 'open', 1900,
        'CNY', 2, current_period_end, current_period_end + interval '1 month', current_period_end, now(),
        current_period_end,
        current_period_end + interval '3 days', 0, 0, 0, now()
    FROM subscriptions ORDER BY current_period_end LIMIT :limit OFFSET :offset
    """,
    """
    INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id,
        starts_at, ends_at, created_at)
    SELECT uuid_v7(), circle_id, payer_id, membership_id, tier_id, 'grace', id, period_start, covered_until, now()
    FROM invoices WHERE kind = 'renewal' AND number LIKE 'R%' AND created_at = now()
    """,
    """
    INSERT INTO notifications (id, user_id, circle_id, kind, key, subject_kind, subject_id, data, in_app, created_at)
    SELECT uuid_v7(), payer_id, circle_id, 'renewal_coming', 'renewal:' || circle_id || ':' || due_at::date, 'invoice',
        id, jsonb_build_object('circle', number, 'amount', 'CNY 19.00', 'on', due_at::date), true, now()
    FROM invoices WHERE kind = 'renewal' AND number LIKE 'R%' AND created_at = now()
    """,
    """
    UPDATE subscriptions s SET renewal_open = true FROM invoices i
    WHERE i.subscription_id = s.id AND i.kind = 'renewal' AND i.created_at = now()
    """,
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--subscriptions", type=int, default=100_000)
    arguments.add_argument("--settle", type=int, default=2_000)
    chosen = arguments.parse_args()
    heading(f"Renewals of {chosen.subscriptions:,} subscriptions")
    with installation(f"renewals_{chosen.subscriptions}_{time.time_ns() % 10**6}") as (engine, environment):
        measure(engine, environment, subscriptions=chosen.subscriptions, settle=chosen.settle)


def measure(engine: Engine, environment: Mapping[str, str], *, subscriptions: int, settle: int) -> None:
    fill(engine, subscriptions)
    raw = _raw(engine, min(subscriptions, 50_000))
    ours = _run(_application(environment), "bill", at_most=subscriptions)
    print(f"  {'raw INSERT of the same rows':<34} {raw:10,.0f}/s")
    print(f"  {'billing step':<34} {ours:10,.0f}/s   {ours / raw:.2f} of raw")
    for latency, many in ((0, settle), (FAR_AWAY_MS, settle // 4)):
        _let_come_due(engine, many)
        app = _application(environment, sandbox_latency_ms=latency)
        _run(app, "bill", at_most=many)
        rate = _run(app, "charge", at_most=many)
        print(f"  {f'settlements, sandbox at {latency} ms':<34} {rate:10,.0f}/s")
    print(f"  memory of this process {psutil.Process().memory_info().rss / 2**20:.0f} MiB")


def fill(engine: Engine, subscriptions: int) -> None:
    print(f"  filling {subscriptions:,} subscriptions ...", flush=True)
    with engine.connect() as connection:
        for statement in FILL.read_text(encoding="utf-8").split(";\n"):
            connection.execute(text(statement), {"subscriptions": subscriptions})
        connection.execute(text("VACUUM ANALYZE"))


def _raw(engine: Engine, rows: int) -> float:
    """Insert the rows in batches as large as ours, and take them back."""
    spent = 0.0
    with engine.execution_options(isolation_level="READ COMMITTED").connect() as connection:
        for offset in range(0, rows, 500):
            began = time.perf_counter()
            for statement in RAW:
                connection.execute(text(statement), {"limit": 500, "offset": offset} if ":limit" in statement else {})
            connection.execute(text("SAVEPOINT batch"))
            spent += time.perf_counter() - began
            connection.rollback()
    return rows / spent


def _application(environment: Mapping[str, str], **settings: int) -> Flask:
    return create_app(replace(Settings.from_env(environment), **settings), doorbell=SilentDoorbell())


def _run(app: Flask, name: str, *, at_most: int) -> float:
    """Run a job until it finds nothing; return rows a second."""
    job, rows = jobs.load_job(f"billing.{name}"), 0
    with app.app_context():
        units: Units = app.extensions["circle"].units
        began = time.perf_counter()
        while rows < at_most and (done := job.run(units)):
            rows += done
    return rows / (time.perf_counter() - began)


def _let_come_due(engine: Engine, many: int) -> None:
    """Let so many renewals have been announced long ago, to be charged now."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "UPDATE invoices SET noticed_at = now() - interval '8 days', charge_at = now() WHERE id IN"
                " (SELECT id FROM invoices WHERE status = 'open' AND charge_at > now() LIMIT :many)"
            ),
            {"many": many},
        )


if __name__ == "__main__":
    main()
