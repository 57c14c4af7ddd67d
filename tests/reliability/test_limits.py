"""Valkey is killed while somebody guesses passwords: limits hold and everybody reads; lost rings are made up for."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event

import pytest

from circle.kernel.clock import elapsed
from tests.builders.people import Person
from tests.embedded.waiting import wait_for
from tests.reliability.fleet import ROOT, STOP_SECONDS, Fleet
from tests.reliability.serving import Answer, Line, Web, serving
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

# circle/accounts/routes.py: of one address in a minute. Each process that has to count by itself lets so many through.
LIMIT = 10
PROCESSES = 2
GUESSES = 120
UNAUTHORIZED, TOO_MANY = 401, 429
# From a flush on, until what was rung for is done.
CAUGHT_UP_SECONDS = 30.0
# Three sweeps of messages (workers/schedule.py): where none comes in this time, there is none.
NOTICED_SECONDS = 15.0


@dataclass
class Scene:
    site: Site
    web: Web
    person: Person
    feed: str
    read: list[Answer] = field(default_factory=list)

    def guess(self, times: int) -> Counter[int]:
        """Guess a password over and over, each time as a new connection: some reach each process."""
        body = {"email": self.person.email, "password": "not the password"}
        return Counter(self.web.ask("POST", "/v1/auth/login", body=body).status for _ in range(times))

    @contextmanager
    def reading(self) -> Iterator[None]:
        over = Event()

        def read() -> list[Answer]:
            line, seen = Line(self.web.port), list[Answer]()
            while not over.wait(0.02):
                seen.append(line.ask("GET", self.feed, self.person.token))
            line.close()
            return seen

        with ThreadPoolExecutor() as threads:
            reader = threads.submit(read)
            try:
                yield
            finally:
                over.set()
        self.read += reader.result()


@pytest.fixture
def scene_of(site: Site) -> Iterator[Callable[[str], Scene]]:
    with ExitStack() as running:

        def build(mutant: str = "none") -> Scene:
            with site.app.app_context():
                circle = site.world.circle()
                site.world.post(circle)
            settings = {**site.environ, "RATE_LIMITS": "on", "WEB_WORKERS": str(PROCESSES), "WEB_THREADS": "4"}
            web = running.enter_context(serving(settings, site.folder, mutant=mutant))
            return Scene(site, web, circle.owner, f"/v1{circle.path}/posts")

        yield build


def test_log_in_stays_limited_and_reads_go_on_without_valkey(scene_of: Callable[..., Scene]) -> None:
    scene = scene_of()
    with scene.reading():
        before = scene.guess(GUESSES)
        with scene.site.without_queue():
            without = scene.guess(GUESSES)
        after = scene.guess(GUESSES)

    slowest = max(answer.seconds for answer in scene.read)
    print(  # noqa: T201 - the figure of the gate
        f"of {GUESSES} guesses {before[UNAUTHORIZED]} were looked at with Valkey, {without[UNAUTHORIZED]} by"
        f" {PROCESSES} processes without it, {after[UNAUTHORIZED]} after it;"
        f" {len(scene.read)} reads meanwhile, the slowest {slowest:.2f} s"
    )
    assert before.keys() == without.keys() == {UNAUTHORIZED, TOO_MANY}
    assert before[UNAUTHORIZED] <= LIMIT
    assert without[UNAUTHORIZED] <= LIMIT * PROCESSES
    assert after[UNAUTHORIZED] <= LIMIT
    assert {answer.status for answer in scene.read} == {200}


def test_guesses_that_nobody_counts_are_caught(scene_of: Callable[..., Scene]) -> None:
    scene = scene_of("no_fallback")

    with scene.site.without_queue():
        without = scene.guess(GUESSES)

    assert without[UNAUTHORIZED] > LIMIT * PROCESSES


@contextmanager
def clock_at_work(site: Site) -> Iterator[None]:
    """Run the process that sweeps."""
    with (site.folder / "clock.log").open("ab") as log:
        words = [sys.executable, "-m", "workers.clock"]
        clock = subprocess.Popen(  # noqa: S603 - our own module
            words, cwd=ROOT, env={**os.environ, **site.environ}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        clock.terminate()
        clock.wait(STOP_SECONDS)


def test_a_ring_that_was_lost_is_made_up_for(site: Site, fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(crews=1, rung={"default": ()})
    site.ask_for_code()
    with clock_at_work(site):
        wait_for(lambda: site.delivered() == 1, "the first code")
        # Nobody rings here: as when the ring is flushed before anybody answers it.
        site.ask_for_code()
        fleet.forget_rings()
        began = elapsed()
        wait_for(lambda: site.delivered() == 2, "the second code")
        took = elapsed() - began

    print(f"after a flush a lost ring was made up for within {took:.1f} s")  # noqa: T201 - the figure of the gate
    assert took <= CAUGHT_UP_SECONDS


def test_work_that_trusts_its_ring_alone_is_caught(site: Site, fleet_of: Callable[..., Fleet]) -> None:
    """The mutant: nobody sweeps."""
    site.ask_for_code()
    fleet_of(crews=1, rung={"default": ("outbox.relay",)}).tend()
    wait_for(lambda: site.delivered() == 1, "the first code, which is rung for")
    site.ask_for_code()

    time.sleep(NOTICED_SECONDS)

    assert site.delivered() == 1
