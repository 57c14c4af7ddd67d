"""A circle's life by itself: small, on a database of its own; `circle billing simulate` lives longer ones."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import webhooks
from circle.cli import circle
from circle.embedded import Engines
from circle.simulation import Broken, Life, NotEmpty, begin, figures
from tests.databases import worker_database

MEMBERS, MONTHS, SEED = 12, 3, 5
SOME_DAYS = 40


@contextmanager
def life(engines: Engines, worker_id: str, *, seed: int = SEED) -> Iterator[Life]:
    with (
        worker_database(engines.database_url, f"{worker_id}_simulation") as url,
        begin(url, members=MEMBERS, months=MONTHS, seed=seed) as begun,
    ):
        yield begun


def story(engines: Engines, worker_id: str, *, seed: int, days: int) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """What happened in the first days of a life."""
    with life(engines, worker_id, seed=seed) as begun:
        for _ in islice(begun.days(), days):
            pass
        return begun.scene.done, begun.scene.refused, begun.scene.network.happened


def test_some_weeks_of_a_circle_keep_every_rule(engines: Engines, worker_id: str) -> None:
    with life(engines, worker_id) as begun:
        lived = sum(1 for _ in islice(begun.days(), SOME_DAYS))
        months = figures(begun)

    assert lived == SOME_DAYS
    assert [one.month for one in months] == ["2024-01", "2024-02"]
    assert sum(one.revenue for one in months) > 0
    assert sum(one.renewals for one in months) > 0
    assert begun.scene.network.happened["calls"] > begun.scene.done["arrive"] / 2


def test_a_seed_tells_the_same_story_again(engines: Engines, worker_id: str) -> None:
    first, again, another = (story(engines, worker_id, seed=seed, days=4) for seed in (1, 1, 2))

    assert first == again
    assert first != another


def test_a_provider_that_charges_under_numbers_of_its_own_is_noticed(
    engines: Engines, worker_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = Sandbox.start
    monkeypatch.setattr(Sandbox, "start", lambda sandbox, order: charge(sandbox, replace(order, number=uuid4().hex)))

    with life(engines, worker_id) as begun, pytest.raises(Broken) as broken:
        for _ in islice(begun.days(), SOME_DAYS):
            pass

    assert any("sandbox's books" in trouble for trouble in broken.value.troubles)


def test_a_row_that_fails_in_a_job_is_noticed(
    engines: Engines, worker_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs go on behind such a row; a life must not."""
    monkeypatch.setattr(webhooks, "apply_each", lambda *_: 1 / 0)

    with life(engines, worker_id) as begun, pytest.raises(Broken, match="notification_poison"):
        for _ in islice(begun.days(), SOME_DAYS):
            pass


def test_nobody_plays_with_a_database_that_has_people(engines: Engines, worker_id: str) -> None:
    with worker_database(engines.database_url, f"{worker_id}_simulation") as url:
        with begin(url, members=1, months=1, seed=SEED):
            pass
        with pytest.raises(NotEmpty), begin(url, members=1, months=1, seed=SEED):
            pass


@pytest.mark.reliability
def test_a_whole_life_ends_with_a_table(engines: Engines) -> None:
    databases = text("SELECT count(*) FROM pg_database WHERE datname LIKE 'circle_simulation%'")
    server = create_engine(engines.database_url)
    with server.connect() as connection:
        before = connection.scalar(databases)

    result = CliRunner().invoke(
        circle,
        ["billing", "simulate", "--members=100", "--months=6", f"--seed={SEED}", f"--server={engines.database_url}"],
    )

    with server.connect() as connection:
        assert connection.scalar(databases) == before
    server.dispose()
    assert result.exit_code == 0, result.output
    assert "all rules held after each of 182 days" in result.output
    assert [line.split()[0] for line in result.output.splitlines() if line.strip().startswith("2024-")] == [
        f"2024-{month:02d}" for month in range(1, 7)
    ]
