"""What a job runs in: the application's context, its log lines and its counts; safe in a forked process.

A job is a function of the units of work that returns how many rows it worked on:

    @job
    def remind(units: Units) -> int:
        with units.write() as uow:
            return reminders.send_due(uow)

It takes no ids: it reads its due rows itself, so that a ring that was lost, doubled or reordered changes nothing.
"""

import ctypes
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any, cast

import structlog
from flask import Flask
from rq import Worker
from rq.job import Job

from circle.app import create_app
from circle.config import Settings
from circle.jobs import JobLog, load_job
from circle.kernel.clock import elapsed
from circle.kernel.isolation import counting
from circle.kernel.queue import RqDoorbell
from circle.kernel.uow import UnitOfWork, Units
from circle.testmode import unless_draining
from circle.web.connections import forget_connections
from circle.web.system import system

log = structlog.get_logger(__name__)

Work = Callable[[Units], int]

_PACKAGE = "workers."
_JOB_NAME = re.compile(r"workers\.[a-z][a-z_]*\.[a-z][a-z_]*")
_SHOWN_OF_A_NAME = 80
# How long a process goes on with batch after batch, before other jobs of its queue have their turn.
_STRETCH_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_app: Flask | None = None


class RegisteredJob:
    """A job by name. RQ calls it in a worker process; drains and tests use `run` where they are."""

    def __init__(self, work: Work, *, in_batches: bool = False) -> None:
        self.name = f"{work.__module__.removeprefix(_PACKAGE)}.{work.__name__}"
        self.__doc__ = work.__doc__
        self._work = work
        self._in_batches = in_batches

    def run(self, units: Units) -> int:
        return self._work(units)

    def __call__(self) -> int:
        """Answer the doorbell, do the work, count it. An error is counted and left to RQ, which logs its trace."""
        with application().app_context(), structlog.contextvars.bound_contextvars(job=self.name):
            units = system().units
            doorbell = units.doorbell if isinstance(units.doorbell, RqDoorbell) else None
            if doorbell:
                doorbell.answer(self.name)
            ok, rows = False, 0
            with counting() as failed:
                try:
                    rows = self._work_off(units) if self._in_batches else unless_draining(units, self._work)
                    ok = True
                finally:
                    if doorbell:
                        doorbell.settle()
                    units.use(JobLog).note(self.name, ok=ok, rows=rows, failed=len(failed))
                    log.log(_level(ok=ok, rows=rows), "job", ok=ok, rows=rows, failed=len(failed))
            return rows

    def _work_off(self, units: Units) -> int:
        """Do batch after batch while there is something to do; return how many rows that were.

        A process is dear and its first batch is slow. Where something was found there may be more: other workers are
        rung to help, and if time is up before all is done, so is the next turn.
        """
        until = elapsed() + _STRETCH_SECONDS
        rows = found = unless_draining(units, self._work)
        if found:
            units.doorbell.ring(self.name)
        while found and elapsed() < until:
            found = unless_draining(units, self._work)
            rows += found
        if found:
            units.doorbell.ring(self.name)
        return rows


def job(work: Work) -> RegisteredJob:
    """Mark a function as a job, named by its module and function: `outbox.relay`."""
    return RegisteredJob(work)


def batch_job(work: Work) -> RegisteredJob:
    """Mark a job that does one batch: a worker runs it again until nothing is due, so what it counts must be done."""
    return RegisteredJob(work, in_batches=True)


def in_turns(units: Units, name: str, batch: Callable[[Units], int | None], *, nothing: int | None = 0) -> int:
    """Do batch after batch until one finds nothing; return how many rows.

    Of one circle there may be very much to do. When time is up the job `name` is rung once more, and takes its turn
    behind what else waits in its queue.
    """
    until, rows = elapsed() + _STRETCH_SECONDS, 0
    while (found := batch(units)) != nothing:
        rows += found or 0
        if elapsed() >= until:
            units.doorbell.ring(name)
            break
    return rows


def committed(use_case: Callable[[UnitOfWork], int | None]) -> Callable[[Units], int | None]:
    """Return the use case as a batch, in a transaction of its own."""

    def batch(units: Units) -> int | None:
        with units.write() as uow:
            return use_case(uow)

    return batch


def install(app: Flask) -> None:
    """Give this process, and those it forks, the application that its jobs run in."""
    global _app  # noqa: PLW0603 - a process has one application
    _app = app


def application() -> Flask:
    """Return the application; a worker that was not started by ours builds it at its first job."""
    if _app is None:
        install(create_app(Settings.from_env().for_workers()))
    assert _app is not None  # noqa: S101 - for the type checker
    return _app


class ForgedJob(Exception):
    """Something lies in the queue that no doorbell of ours put there."""


class RungJob(Job):
    """A ring as it lies in Redis, believed only as far as it names a job of ours.

    RQ would call whatever function is named there, with arguments, callbacks and webhooks: whoever writes to Redis
    could run anything.
    """

    @property
    def func(self) -> RegisteredJob:
        """Return the job. Errors: ForgedJob."""
        name = str(self.func_name)
        if not _JOB_NAME.fullmatch(name) or self.instance or self.args or self.kwargs:
            raise ForgedJob(name[:_SHOWN_OF_A_NAME])
        try:
            return cast("RegisteredJob", load_job(name.removeprefix(_PACKAGE)))
        except LookupError as error:
            raise ForgedJob(name[:_SHOWN_OF_A_NAME]) from error

    def restore(self, raw_data: Any) -> None:
        """Read the ring without what may be called besides the job: ours name nothing."""
        super().restore(raw_data)
        self.webhooks = []
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None


class QueueWorker(Worker):
    """RQ's forking worker with our habits: JSON only, and no job but ours."""

    job_class = RungJob
    # Redis that comes back is noticed soon.
    max_connection_wait_time = 2.0

    def main_work_horse(self, *args: Any) -> None:
        """Begin a job's process: with no connection of its parent's, and gone when its parent is killed."""
        die_with_parent(self.pid, signal.SIGTERM)
        with application().app_context():
            forget_connections()
        super().main_work_horse(*args)


def die_with_parent(parent: int | None, number: signal.Signals) -> None:
    """Have the kernel send us a signal when the process that forked us ends; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)


def _level(*, ok: bool, rows: int) -> int:
    """Sweeps that found nothing are worth a debug line only."""
    if not ok:
        return logging.ERROR
    return logging.INFO if rows else logging.DEBUG
