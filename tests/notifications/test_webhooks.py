"""Notices by webhook: signed, tried again, switched off where nobody takes them, never inside a network."""

import hmac
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpcore
import orjson
import pytest

from circle.accounts.services.operators import suspend_user
from circle.config import Settings
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.errors import Invalid
from circle.kernel.uow import Units
from circle.notifications.hooks import MOST_SECONDS, HttpHooks, is_public
from circle.notifications.kinds import Kind
from circle.notifications.services.hooks import check_address
from tests.builders.people import Person
from tests.client import World
from tests.notifications.conftest import Tell

PATH = "/me/webhook"


class Bot(HTTPServer):
    """A web server that keeps what it was sent, and answers as told."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        super().__init__(("127.0.0.1", 0), _BotHandler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/circle"


class _BotHandler(BaseHTTPRequestHandler):
    server: Bot

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def bot() -> Iterator[Bot]:
    with running(Bot()) as server:
        yield server


@contextmanager
def running(server: Bot) -> Iterator[Bot]:
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hooked(world: World, bot: Bot) -> tuple[Person, str]:
    """Somebody with a webhook, and its secret."""
    person = world.person()
    return person, person.api.put(PATH, {"url": bot.url}).ok()["secret"]


def relay(units: Units) -> int:
    """Run the job, and once more as Redis may."""
    job = load_job("hooks.relay")
    taken = job.run(units)
    job.run(units)
    return taken


def tries(person: Person) -> list[Any]:
    return [(one["status"], one["error"]) for one in person.api.get(f"{PATH}/deliveries").ok()["items"]]


def test_a_notice_is_posted_once_and_signed(world: World, tell: Tell, units: Units, bot: Bot) -> None:
    person, secret = hooked(world, bot)

    tell(person)
    relay(units)

    [(headers, body)] = bot.posts
    signed = hmac.new(secret.encode(), headers["Circle-Timestamp"].encode() + b"." + body, sha256).hexdigest()
    assert headers["Circle-Signature"] == f"v1={signed}"
    chinese = {"Accept-Language": "zh-CN"}
    [notice] = person.api.get("/me/notifications", headers=chinese).ok()["items"]
    assert orjson.loads(body) == notice
    assert tries(person) == [(204, None)]


def test_another_address_has_another_secret_and_the_first_hears_no_more(
    world: World, tell: Tell, units: Units, bot: Bot
) -> None:
    person, first = hooked(world, bot)
    tell(person)

    with running(Bot()) as other:
        second = person.api.put(PATH, {"url": other.url}).ok()["secret"]
        tell(person, key="comment:2")
        relay(units)

        assert (first != second, len(bot.posts), len(other.posts)) == (True, 0, 1)
    person.api.delete(PATH).ok(204)
    person.api.delete(PATH).ok(204)
    assert person.api.get(PATH).status == 404
    assert tell(person, key="comment:3") == 1


def test_a_switch_turns_it_off_and_nothing_else(world: World, tell: Tell, units: Units, bot: Bot) -> None:
    person, _secret = hooked(world, bot)
    off = {"kind": "comment_received", "in_app": True, "email": False, "webhook": False}
    person.api.put("/me/notification-settings", {"switches": [off]}).ok()

    tell(person)
    tell(person, Kind.MENTION, key="mention:1")
    relay(units)

    assert [orjson.loads(body)["kind"] for _headers, body in bot.posts] == ["mention"]
    assert len(person.api.get("/me/notifications").ok()["items"]) == 2


def test_it_is_tried_again_and_the_key_stays(
    world: World, tell: Tell, units: Units, bot: Bot, clock: ManualClock
) -> None:
    person, _secret = hooked(world, bot)
    bot.status = 500
    tell(person)
    relay(units)
    bot.status = 200

    for _ in range(5):
        clock.advance(timedelta(minutes=1))
        relay(units)

    assert tries(person) == [(200, None), (500, None)]
    assert len({headers["Idempotency-Key"] for headers, _body in bot.posts}) == 1
    assert person.api.get(PATH).ok()["failing_since"] is None


def test_an_address_that_failed_is_left_alone_for_a_while(world: World, tell: Tell, units: Units, bot: Bot) -> None:
    person, _secret = hooked(world, bot)
    bot.status = 500

    for number in range(20):
        tell(person, key=f"comment:{number}")
    relay(units)

    assert len(bot.posts) == 1


def test_after_a_day_of_failures_it_is_switched_off_and_its_owner_told(
    world: World, tell: Tell, units: Units, bot: Bot, clock: ManualClock
) -> None:
    person, _secret = hooked(world, bot)
    bot.status = 302
    tell(person)

    for number in range(40):
        tell(person, key=f"again:{number}")
        relay(units)
        clock.advance(timedelta(hours=1))

    assert person.api.get(PATH).ok()["disabled_at"] is not None
    assert "webhook_disabled" in {one["kind"] for one in person.api.get("/me/notifications").ok()["items"]}
    posted = len(bot.posts)
    tell(person, key="later")
    relay(units)
    assert len(bot.posts) == posted


def test_gone_is_taken_at_its_word(world: World, tell: Tell, units: Units, bot: Bot) -> None:
    person, _secret = hooked(world, bot)
    bot.status = 410

    tell(person)
    relay(units)

    assert person.api.get(PATH).ok()["disabled_at"] is not None


def test_nothing_leaves_for_somebody_suspended_or_deleted(
    world: World, tell: Tell, units: Units, bot: Bot, sql: Any
) -> None:
    suspended, deleted = (hooked(world, bot)[0] for _ in range(2))
    tell([suspended, deleted])

    with units.write() as uow:
        suspend_user(uow, email=suspended.email)
    deleted.api.request("DELETE", "/me", json={}).ok(204)
    relay(units)

    assert bot.posts == []
    assert sql("SELECT count(*) AS n FROM notice_hooks WHERE user_id = :u", u=deleted.id)[0]["n"] == 0


def test_a_token_for_scripts_can_not_send_notices_elsewhere(world: World, api: Any, bot: Bot) -> None:
    person = world.person()
    token = person.api.post("/me/tokens", {"name": "脚本", "scopes": ["read", "write"]}).ok(201)["token"]

    assert api.as_(token).put(PATH, {"url": bot.url}).code == "session_needed"


INSIDE = [
    "127.0.0.1", "127.1.2.3", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:a9fe:a9fe::1", "::127.0.0.1", "::10.0.0.1", "::ffff:0:7f00:1",
    "fec0::1", "fe80::1%eth0", "fd00:ec2::254", "100::1", "2001:db8::1", "3fff::1", "5f00::1", "ff0e::1",
    "192.88.99.1", "192.0.0.170", "198.51.100.1", "203.0.113.1", "240.0.0.1", "::ffff:224.0.0.1",
    "::ffff:169.254.169.254",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_the_inside_is_public(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet_are_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
    assert is_public("::ffff:93.184.216.34")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_a_name_that_means_the_inside_is_not_called(
    settings: Settings, bot: Bot, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Also where it means a public address besides: whoever owns the name decides which one comes first."""
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, bot.server_address[1])) for one in ("1.1.1.1", address)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: both)

    answer = HttpHooks(replace(settings, webhooks_private=False)).post(
        f"http://bot.example.org:{bot.server_address[1]}/", b"{}", key="k", secret="s"
    )

    assert (answer, bot.posts) == ((None, "the address is not public"), [])


@pytest.mark.parametrize("host", ["2130706433", "017700000001", "0x7f.1", "127.1", "0", "[::ffff:7f00:1]"])
def test_an_address_is_one_however_it_is_written(settings: Settings, bot: Bot, host: str) -> None:
    """Some of these are names to `check_address`; whoever connects reads numbers in them."""
    answer = HttpHooks(replace(settings, webhooks_private=False)).post(
        f"http://{host}:{bot.server_address[1]}/", b"{}", key="k", secret="s"
    )

    assert (answer, bot.posts) == ((None, "the address is not public"), [])


def test_a_name_is_looked_up_once(settings: Settings, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it meant then is called, and not what it means a moment later: that is a name that is bound anew."""
    meanings, called = iter(["93.184.216.34", "127.0.0.1"]), []

    def look_up(_host: str, port: int, **_named: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(meanings), port))]

    def connect(_backend: Any, host: str, _port: int, timeout: float, *_more: Any) -> Any:
        called.append(host)
        assert 0 < timeout <= MOST_SECONDS
        raise httpcore.ConnectError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)

    answer = HttpHooks(replace(settings, webhooks_private=False)).post(
        "http://bot.example.org/", b"{}", key="k", secret="s"
    )

    assert (called, answer) == (["93.184.216.34"], (None, "ConnectError"))


def test_a_failed_call_tells_nothing_of_the_network_inside(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    answer = HttpHooks(replace(settings, webhooks_private=True)).post(
        f"http://127.0.0.1:{port}/", b"{}", key="k", secret="s"
    )

    assert answer == (None, "ConnectError")


def test_nobody_keeps_us_waiting_drop_by_drop(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole request: here it is over before the answer's head has come."""
    monkeypatch.setattr("circle.notifications.hooks.MOST_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = HttpHooks(replace(settings, webhooks_private=True)).post(
            f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}", key="k", secret="s"
        )

    assert answer == (None, "ReadTimeout")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://bot.example.org/", "not_https"),
        ("ftp://bot.example.org/", "not_https"),
        ("https://127.0.0.1/", "not_public"),
        ("https://[::1]/", "not_public"),
        ("https://[::1", "not_an_address"),
        ("https://user:word@bot.example.org/", "not_an_address"),
        ("https://bot.example.org:99999/", "not_an_address"),
        ("https://bot.example.org/#top", "not_an_address"),
        ("https://例子.测试/", "not_an_address"),
        ("bot.example.org", "not_an_address"),
    ],
)
def test_what_is_no_address_is_refused(url: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_address(url, private=False)

    assert [one.code for one in refused.value.errors] == [code]


def test_a_refused_address_is_named(world: World) -> None:
    refused = world.person().api.put(PATH, {"url": "bot.example.org"})

    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "url")
