"""How `python -m workers` and `python -m workers.clock` begin, and what the clock rings."""

import sys

import pytest

from circle.jobs import Scheduled
from circle.kernel.queue import SilentDoorbell
from workers import __main__ as crew
from workers import clock


@pytest.mark.parametrize("main", [crew.main, clock.main])
def test_a_missing_setting_is_named(
    main: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["workers"])
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert main() == 2  # type: ignore[operator]
    assert capsys.readouterr().err.endswith("DATABASE_URL is not set\n")


def test_an_unknown_queue_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["workers", "default", "nothing"])

    assert crew.main() == 2
    assert "unknown queue nothing" in capsys.readouterr().err


def test_the_clock_rings_each_row_at_its_interval() -> None:
    doorbell = SilentDoorbell()
    ringer = clock.Ringer(doorbell, (Scheduled("outbox.relay", 5, ""), Scheduled("housekeeping.tidy", 12, "")))

    waits = [ringer.ring_due(now) for now in (100.0, 105.0, 110.0, 112.0)]

    assert doorbell.rung == [
        *("outbox.relay", "housekeeping.tidy"),
        "outbox.relay",
        "outbox.relay",
        "housekeeping.tidy",
    ]
    assert waits == [5.0, 5.0, 2.0, 3.0]
