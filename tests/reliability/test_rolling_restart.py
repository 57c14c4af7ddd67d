"""Two web processes are restarted one after the other under 100 requests a second: nobody's request fails.

The proxy between is a small one that follows the rules of deploy/haproxy.cfg; the real one is in `tests/cluster`.
"""

import http.client
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event, Lock, Thread
from uuid import uuid4

import psutil
import pytest

from circle.kernel.clock import elapsed
from tests.embedded.waiting import wait_for
from tests.reliability.fleet import Fleet
from tests.reliability.serving import Answer, Line, Web
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

RATE = 100
CLIENTS = 8
# Of a hundred requests so many write.
WRITES = 20
# The proxy needs a second of it, and on a loaded machine more.
DRAIN = "4"
SERVER_ERROR = 500
# deploy/haproxy.cfg: check inter 500ms fall 2 rise 1, retries 5.
_CHECK_SECONDS, _FALL, _TRIES = 0.5, 2, 6
_OK = http.client.OK


class Server:
    """One web process as the proxy sees it."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.is_up = True
        self.at_work = 0
        self._failed = 0

    def check(self) -> None:
        """Two failed checks put it out, one that goes well lets it in."""
        is_well = self.web.ask("GET", "/healthz").status == _OK
        self._failed = 0 if is_well else self._failed + 1
        self.is_up = is_well or (self.is_up and self._failed < _FALL)


class Proxy:
    """Gives each request to the server with the fewest at work, of those that are up."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self._lock = Lock()
        self._over = Event()
        self._checks = [Thread(target=self._check, args=(server,)) for server in servers]
        for thread in self._checks:
            thread.start()

    def close(self) -> None:
        self._over.set()
        for thread in self._checks:
            thread.join()

    def pass_on(self, lines: dict[int, Line], method: str, path: str, token: str, body: object, key: str) -> Answer:
        """Send it to one; where a connection is refused, or a read comes back empty, to the other."""
        answer = Answer(0, 0.0)
        for _ in range(_TRIES):
            server = self._least_busy()
            if server is None:
                return Answer(503, 0.0)
            line = lines.setdefault(server.web.port, Line(server.web.port))
            try:
                answer = line.ask(method, path, token, body, key)
            finally:
                with self._lock:
                    server.at_work -= 1
            if answer.is_refused:
                server.is_up = False
            elif answer.status or method != "GET":
                break
        return answer

    def _least_busy(self) -> Server | None:
        with self._lock:
            up = [server for server in self.servers if server.is_up]
            chosen = min(up, key=lambda server: (server.at_work, random.random()), default=None)  # noqa: S311
            if chosen is not None:
                chosen.at_work += 1
            return chosen

    def _check(self, server: Server) -> None:
        while not self._over.wait(_CHECK_SECONDS):
            server.check()


class Crowd:
    """Clients that share out the rate; what they were promised is kept."""

    def __init__(self, proxy: Proxy, token: str, feed: str) -> None:
        self.proxy, self._token, self._feed = proxy, token, feed
        self.seen: list[Answer] = []
        self.promised: list[str] = []
        self.writes = WRITES
        self.is_over = Event()

    @contextmanager
    def at_work(self, rate: float) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as threads:
            for _ in range(CLIENTS):
                threads.submit(self._be, CLIENTS / rate)
            try:
                yield
            finally:
                self.is_over.set()

    def failed(self) -> list[Answer]:
        return [answer for answer in self.seen if answer.status == 0 or answer.status >= SERVER_ERROR]

    def _be(self, pause: float) -> None:
        lines = dict[int, Line]()
        due = elapsed() + pause * random.random()  # noqa: S311
        while not self.is_over.wait(max(0.0, due - elapsed())):
            if random.randrange(100) < self.writes:  # noqa: S311
                said = f"写于 {uuid4().hex}"
                answer = self._ask(lines, "POST", {"kind": "talk", "body": said})
                if answer.status == http.client.CREATED:
                    self.promised.append(said)
            else:
                self._ask(lines, "GET")
            # Who is late does not make up for it: a busy machine is not to be taken for a hundred clients.
            due = max(due + pause, elapsed() - 1)
        for line in lines.values():
            line.close()

    def _ask(self, lines: dict[int, Line], method: str, body: object = None) -> Answer:
        key = uuid4().hex if body else ""
        answer = self.proxy.pass_on(lines, method, self._feed, self._token, body, key)
        self.seen.append(answer)
        return answer


@contextmanager
def crowd_before(site: Site, mutant: str = "none", drain: str = DRAIN) -> Iterator[Crowd]:
    with site.app.app_context():
        circle = site.world.circle()
        site.world.post(circle)
    settings = {**site.environ, "WEB_WORKERS": "1", "WEB_THREADS": "4", "DRAIN_SECONDS": drain}
    with ExitStack() as running:
        servers = []
        for number in range(2):
            words = ("-m", "tests.reliability.web", mutant)
            servers.append(Server(Web(settings, site.folder / f"web{number}.log", words)))
            running.callback(servers[-1].web.end)
        for server in servers:
            server.web.wait()
        proxy = Proxy(servers)
        running.callback(proxy.close)
        yield Crowd(proxy, circle.owner.token, f"/v1{circle.path}/posts")


def restart_each(crowd: Crowd) -> None:
    """What an operator does at an upgrade: end one, start it, wait for it; then the other."""
    for server in crowd.proxy.servers:
        server.web.end()
        server.web.start()
        server.web.wait()
        wait_for(lambda server=server: server.is_up, "the proxy to see it")


def test_a_rolling_restart_fails_nobody(site: Site) -> None:
    with crowd_before(site) as crowd:
        began = elapsed()
        with crowd.at_work(RATE):
            restart_each(crowd)
        seconds, failed = elapsed() - began, crowd.failed()

    slowest = max(answer.seconds for answer in crowd.seen)
    print(  # noqa: T201 - the figure of the gate
        f"{len(crowd.seen):,} requests, {len(crowd.seen) / seconds:.0f}/s, while both processes were restarted:"
        f" {len(failed)} failed, the slowest {slowest:.2f} s"
    )
    assert failed == []
    kept = [row["body"] for row in site.sql("SELECT body FROM posts")]
    assert sorted(body for body in kept if body in set(crowd.promised)) == sorted(crowd.promised)


def test_a_process_that_ends_at_once_is_caught(site: Site) -> None:
    with crowd_before(site, "dies_at_once", drain="0") as crowd:
        # As many writes as the clients can send, so that there are some under way when a process ends.
        crowd.writes = 100
        with crowd.at_work(rate=100_000):
            wait_for(lambda: len(crowd.promised) > 10 * CLIENTS, "everybody to write")
            crowd.proxy.servers[0].web.end()

    assert crowd.failed()


@pytest.mark.parametrize("late", ["starts_late", "starts_serving_late"])
def test_a_process_that_has_just_begun_ends_when_it_is_told(site: Site, late: str) -> None:
    log = site.folder / "web.log"
    settings = {**site.environ, "WEB_WORKERS": "1", "DRAIN_SECONDS": "0"}
    web = Web(settings, log, ("-m", "tests.reliability.web", late))
    wait_for(lambda: psutil.Process(web.process.pid).children(), "the forked process")

    assert web.end() == 0
    assert "refused to gracefully stop" not in log.read_text(encoding="utf-8")


def test_a_worker_that_has_just_begun_ends_when_it_is_told(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(crews=1, mutant="starts_late")
    wait_for(fleet.has_forked, "the forked worker")

    # It would be waited for in vain.
    fleet.stop()
