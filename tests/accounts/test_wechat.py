"""WeChat mini-program log-in, against a server that checks what WeChat checks."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from circle.accounts.wechat import Wechat, WechatHttp
from circle.config import Settings
from circle.kernel.uow import Units
from tests.client import Api, World

APP_ID, SECRET = "wx-test", "the-app-secret"
PEOPLE = {"code-of-lin": "openid-lin", "code-of-wang": "openid-wang"}


class FakeWechat(BaseHTTPRequestHandler):
    """Answers code2session as documented: 200 with an errcode where anything is wrong; each code works once."""

    used: set[str]

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        answer: Any = {"errcode": 40029, "errmsg": "invalid code"}
        code = query.get("js_code", "")
        if address.path != "/sns/jscode2session" or query.get("grant_type") != "authorization_code":
            answer = {"errcode": 40002, "errmsg": "invalid grant_type"}
        elif (query.get("appid"), query.get("secret")) != (APP_ID, SECRET):
            answer = {"errcode": 40125, "errmsg": "invalid appsecret"}
        elif code == "broken":
            answer = "not an object"
        elif code in PEOPLE and code not in self.used:
            self.used.add(code)
            answer = {"openid": PEOPLE[code], "session_key": "k"}
        body = json.dumps(answer).encode()
        self.send_response(500 if code == "down" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Stay quiet."""


@pytest.fixture
def wechat(units: Units, settings: Settings) -> Iterator[Settings]:
    FakeWechat.used = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeWechat)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    configured = replace(
        settings,
        wechat_base_url=f"http://127.0.0.1:{server.server_port}",
        wechat_app_id=APP_ID,
        wechat_app_secret=SECRET,
    )
    before = units.adapters
    units.adapters = {**before, Wechat: WechatHttp(configured)}
    yield configured
    units.adapters = before
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_first_log_in_makes_the_account_and_the_next_finds_it(wechat: Settings, api: Api) -> None:
    first = api.post("/auth/wechat", {"code": "code-of-lin", "display_name": "林晓"}).ok(200)
    FakeWechat.used.clear()

    again = api.post("/auth/wechat", {"code": "code-of-lin"}).ok(200)

    assert first["user"]["id"] == again["user"]["id"]
    assert again["user"]["display_name"] == "林晓"
    assert first["token"] != again["token"]
    other = api.post("/auth/wechat", {"code": "code-of-wang"}).ok(200)
    assert other["user"]["id"] != first["user"]["id"]


@pytest.mark.parametrize(
    ("code", "status", "problem"),
    [("made-up", 401, "wechat_refused"), ("broken", 401, "wechat_refused"), ("down", 503, "wechat_unavailable")],
)
def test_what_wechat_does_not_vouch_for_is_refused(
    wechat: Settings, api: Api, code: str, status: int, problem: str
) -> None:
    refused = api.post("/auth/wechat", {"code": code})

    assert (refused.status, refused.code) == (status, problem)


def test_a_wrong_secret_logs_nobody_in(wechat: Settings, api: Api, units: Units) -> None:
    units.adapters = {**units.adapters, Wechat: WechatHttp(replace(wechat, wechat_app_secret="wrong"))}

    assert api.post("/auth/wechat", {"code": "code-of-lin"}).code == "wechat_refused"


def test_an_unreachable_wechat_is_said_so(wechat: Settings, api: Api, units: Units) -> None:
    units.adapters = {**units.adapters, Wechat: WechatHttp(replace(wechat, wechat_base_url="http://127.0.0.1:1"))}

    assert api.post("/auth/wechat", {"code": "code-of-lin"}).code == "wechat_unavailable"


def test_a_repeated_tap_logs_in_once(wechat: Settings, api: Api) -> None:
    key = {"Idempotency-Key": "tap-0001"}
    first = api.post("/auth/wechat", {"code": "code-of-lin"}, headers=key)

    again = api.post("/auth/wechat", {"code": "code-of-lin"}, headers=key)

    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_without_a_mini_program_wechat_is_off(api: Api, world: World) -> None:
    assert api.post("/auth/wechat", {"code": "code-of-lin"}).code == "wechat_unavailable"
