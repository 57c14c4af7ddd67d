"""The object storage hangs, is dead or crawls: text goes on, media say so in time, what was under way is done later."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from circle.embedded import Engines, start_engines
from tests.builders.circles import BuiltCircle
from tests.builders.media import SOUND, picture, send
from tests.builders.people import Person
from tests.embedded.waiting import wait_for
from tests.reliability.fleet import STOP_SECONDS, Fleet
from tests.reliability.road import Road
from tests.reliability.serving import Answer, Line, Web, serving
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

# What the gate says of media; and what text takes on no machine that is only busy.
MEDIA_SECONDS = 6.0
TEXT_SECONDS = 5.0
# Twice as many as the web process has threads.
UPLOADS = 8
# Larger than what is read of it before it is accepted.
FILE = SOUND + b"\x55" * 100_000
COPYING = {"media": ("media.process",), "transfers": ("exports.build",)}
# A worker takes an upload by a lease.
_TRIED = "SELECT count(*) AS n FROM media WHERE attempts > 0 OR due_at > now() + interval '20 seconds'"
_UNFINISHED = "SELECT id, status, object_key, upload_until FROM media WHERE status <> 'ready' ORDER BY id"


class Storage:
    """The storage, what can happen to it, and the way to it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self.road = Road(urlsplit(engines.s3_endpoint).port or 0)

    def environ(self) -> dict[str, str]:
        """Processes take the road, clients the address itself."""
        near = {"S3_ENDPOINT": f"http://127.0.0.1:{self.road.port}", "S3_PUBLIC_ENDPOINT": self._engines.s3_endpoint}
        return {**self._engines.environ(), **near}

    @contextmanager
    def away(self, way: str) -> Iterator[None]:
        server = psutil.Process(self._engines.pids["s3"])
        if way == "crawls":
            self.road.crawls = True
            yield
            self.road.crawls = False
        elif way == "hangs":
            os.kill(server.pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(server.pid, signal.SIGCONT)
        else:
            server.kill()
            psutil.wait_procs([server], timeout=STOP_SECONDS)
            try:
                yield
            finally:
                self._engines = start_engines(self._engines.data_dir, which=frozenset({"s3"}))


@pytest.fixture(scope="module")
def storage(mortal_storage: Engines) -> Iterator[Storage]:
    storage = Storage(mortal_storage)
    yield storage
    storage.road.close()


@dataclass
class Scene:
    """Somebody with uploads that are announced and sent, and the process that they complete them at."""

    site: Site
    web: Web
    person: Person
    circle: BuiltCircle
    waiting: list[str]
    texts: list[Answer] = field(default_factory=list)

    def complete(self, media_ids: Sequence[str]) -> list[Answer]:
        """Say of all at one moment that they are uploaded."""

        def one(media_id: str) -> Answer:
            line = Line(self.web.port, patience=MEDIA_SECONDS + 1)
            answer = line.ask("POST", f"/v1/media/{media_id}/complete", self.person.token, {}, f"complete {media_id}")
            line.close()
            return answer

        with ThreadPoolExecutor(len(media_ids)) as threads:
            return list(threads.map(one, media_ids))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read and write text all the time."""
        over, feed = Event(), f"/v1{self.circle.path}/posts"

        def read(number: int) -> list[Answer]:
            line, seen = Line(self.web.port), list[Answer]()
            while not over.is_set():
                seen += [line.ask("GET", path, self.person.token) for path in (feed, "/v1/me")]
                body = {"kind": "talk", "body": f"第{number}个人的第{len(seen)}句"}
                seen.append(line.ask("POST", feed, self.person.token, body))
            line.close()
            return seen

        with ThreadPoolExecutor() as threads:
            readers = [threads.submit(read, number) for number in range(2)]
            try:
                yield
            finally:
                over.set()
        for reader in readers:
            self.texts += reader.result()


@pytest.fixture
def scene_of(site: Site, storage: Storage) -> Iterator[Callable[..., Scene]]:
    with ExitStack() as running:

        def build(mutant: str = "none") -> Scene:
            here = site.elsewhere(site.environ["DATABASE_URL"], site.folder, **storage.environ())
            running.callback(here.close)
            with here.app.app_context():
                circle = here.world.circle()
                owner = circle.owner
                waiting = []
                for number in range(UPLOADS):
                    announced = here.world.announce(owner, FILE, filename=f"{number}.mp3", content_type="audio/mpeg")
                    assert send(announced["upload"], FILE).status_code == 201
                    waiting.append(announced["media_id"])
            settings = {**here.environ, "WEB_WORKERS": "1", "WEB_THREADS": str(UPLOADS // 2)}
            web = running.enter_context(serving(settings, here.folder, mutant=mutant))
            return Scene(here, web, owner, circle, waiting)

        yield build


def ask_twice(scene: Scene, meanwhile: Callable[[], Any] = lambda: None) -> list[Answer]:
    """Complete the uploads twice while text is read and written; return what was answered."""
    with scene.reading():
        answers = scene.complete(scene.waiting) + scene.complete(scene.waiting)
        meanwhile()
    return answers


@pytest.mark.parametrize("way", ["hangs", "is dead", "crawls"])
def test_text_goes_on_and_what_was_under_way_is_done_later(
    scene_of: Callable[..., Scene], storage: Storage, fleet_of: Callable[..., Fleet], way: str
) -> None:
    scene = scene_of()
    site, world = scene.site, scene.site.world
    with site.app.app_context():
        drawn = str(world.uploaded(scene.person, picture()))
        export = world.ask_export(scene.person, scene.circle)
    before = site.sql(_UNFINISHED)
    fleet = fleet_of(crews=1, rung=COPYING, **storage.environ())

    def a_worker_tries() -> None:
        fleet.tend()
        wait_for(lambda: site.count(_TRIED), "a worker to try")

    with storage.away(way):
        media = ask_twice(scene, meanwhile=a_worker_tries)
        assert site.sql(_UNFINISHED) == before

    slowest_text, slowest_media = (max(one.seconds for one in seen) for seen in (scene.texts, media))
    print(  # noqa: T201 - the figure of the gate
        f"the storage {way}: {len(scene.texts)} requests of text, the slowest {slowest_text:.2f} s;"
        f" media told within {slowest_media:.1f} s"
    )
    assert {answer.status for answer in scene.texts} == {200, 201}
    assert slowest_text <= TEXT_SECONDS
    assert {(answer.status, answer.code) for answer in media} == {(503, "storage_unavailable")}
    assert slowest_media <= MEDIA_SECONDS

    wait_for(lambda: {answer.status for answer in scene.complete(scene.waiting)} == {200}, "uploads to be completed")
    site.watch(fleet, lambda: all_is_done(site), look=lambda: site.advance(timedelta(seconds=20)))
    with site.app.app_context():
        for media_id in scene.waiting:
            assert httpx.get(scene.person.api.get(f"/media/{media_id}").headers["Location"]).content == FILE
        assert httpx.get(scene.person.api.get(f"/media/{drawn}?size=thumb").headers["Location"]).status_code == 200
        told = scene.person.api.get(f"/exports/{export['id']}").ok()
        assert httpx.get(told["download"]["url"]).status_code == 200


def all_is_done(site: Site) -> bool:
    left = site.count("SELECT count(*) AS n FROM media WHERE status <> 'ready'")
    return left + site.count("SELECT count(*) AS n FROM exports WHERE status <> 'ready'") == 0


def test_a_storage_that_is_waited_for_without_end_is_caught(scene_of: Callable[..., Scene], storage: Storage) -> None:
    scene = scene_of("no_time_out")

    with storage.away("hangs"):
        media = scene.complete(scene.waiting[:1])

    assert media[0].seconds > MEDIA_SECONDS


def test_a_storage_that_everybody_waits_for_is_caught(scene_of: Callable[..., Scene], storage: Storage) -> None:
    scene = scene_of("all_threads_wait")

    with storage.away("hangs"):
        ask_twice(scene)

    assert max(answer.seconds for answer in scene.texts) > TEXT_SECONDS


def test_an_upload_that_is_kept_before_it_is_seen_is_caught(scene_of: Callable[..., Scene], storage: Storage) -> None:
    scene = scene_of("kept_unseen")
    before = scene.site.sql(_UNFINISHED)

    with storage.away("is dead"):
        scene.complete(scene.waiting[:1])

    assert scene.site.sql(_UNFINISHED) != before
