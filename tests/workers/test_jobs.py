"""Every job is found by its name and may run twice."""

import pytest

from circle import jobs
from circle.kernel import outbox
from circle.kernel.queue import QUEUES, SilentDoorbell, queue_of
from circle.kernel.uow import Units
from workers import runtime

SCHEDULE = jobs.load_schedule()
NAMES = [row.job for row in SCHEDULE]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_the_schedule_is_a_job(name: str) -> None:
    assert jobs.load_job(name).name == name


def test_a_job_is_scheduled_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_what_the_kernel_rings_is_a_job() -> None:
    assert jobs.load_job(outbox.RELAY).name in NAMES


@pytest.mark.parametrize("name", ["outbox.nothing", "nowhere.relay", "runtime.install"])
def test_what_is_no_job_is_not_found(name: str) -> None:
    with pytest.raises(LookupError):
        jobs.load_job(name)


def test_rooms_without_a_queue_of_their_own_share_one() -> None:
    assert queue_of("billing.charge") == "billing"
    assert queue_of("media.thumbnail") == "media"
    assert queue_of("outbox.relay") == queue_of("notifications.send") == QUEUES[0]


def test_what_may_take_long_holds_up_neither_mail_nor_money_nor_the_index() -> None:
    assert queue_of("imports.run") == queue_of("exports.build") == "transfers"
    assert [name for name in NAMES if queue_of(name) == "search"] == ["search.catch_up", "search.find_words"]


@pytest.mark.parametrize("name", NAMES)
def test_a_job_that_has_nothing_to_do_says_so_twice(name: str, units: Units) -> None:
    job = jobs.load_job(name)

    assert job.run(units) == 0
    assert job.run(units) == 0


def test_a_job_with_much_to_do_lets_others_have_their_turn(
    units: Units, doorbell: SilentDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_STRETCH_SECONDS", 0.0)
    batches = iter([7, 7, 0])

    assert runtime.in_turns(units, "archive.rescore", lambda _units: next(batches)) == 7
    assert doorbell.rung == ["archive.rescore"]

    monkeypatch.setattr(runtime, "_STRETCH_SECONDS", 60.0)
    assert runtime.in_turns(units, "archive.rescore", lambda _units: next(batches)) == 7
    assert doorbell.rung == ["archive.rescore"]
