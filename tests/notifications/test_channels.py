"""How letters leave: SMTP and the SMS webhook at the wire, with servers that listen on loopback."""

import hmac
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson
import pytest

from circle.config import SettingError, Settings
from circle.kernel.outbox import DeliveryFailed
from circle.kernel.uow import NetworkInsideUnitOfWork, Units
from circle.notifications.channels import Letter, SmsWebhook, mailer_for, texter_for
from tests.client import Api, World

LETTER = Letter("code:1", "lin@example.org", "验证码 402913", "你的验证码是 402913。")


class _SmtpServer(socketserver.ThreadingTCPServer):
    """As much of RFC 5321 as one letter needs."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *, refuses: bool = False) -> None:
        self.letters: list[bytes] = []
        self.refuses = refuses
        super().__init__(("127.0.0.1", 0), _SmtpSession)


class _SmtpSession(socketserver.StreamRequestHandler):
    server: _SmtpServer

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "DATA":
                self._say("354 go on")
                self.server.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self._say("250 taken")
            elif verb == "RCPT" and self.server.refuses:
                self._say("550 nobody here")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_mail_leaves_by_smtp(settings: Settings, units: Units) -> None:
    with serving(_SmtpServer()) as server:
        mailer = mailer_for(replace(settings, mail_url=f"smtp://127.0.0.1:{server.server_address[1]}"))
        mailer.send(units, LETTER)
        mailer.send(units, LETTER)

    first, second = server.letters
    assert b"To: lin@example.org" in first
    ids = [line for letter in (first, second) for line in letter.splitlines() if line.startswith(b"Message-ID")]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_mail_that_is_refused_is_tried_again_later(settings: Settings, units: Units) -> None:
    with serving(_SmtpServer(refuses=True)) as server:
        mailer = mailer_for(replace(settings, mail_url=f"smtp://127.0.0.1:{server.server_address[1]}"))
        with pytest.raises(DeliveryFailed):
            mailer.send(units, LETTER)


def test_a_mail_server_that_is_away_is_tried_again_later(settings: Settings, units: Units) -> None:
    with pytest.raises(DeliveryFailed):
        mailer_for(replace(settings, mail_url="smtp://127.0.0.1:1")).send(units, LETTER)


def test_no_mail_leaves_inside_a_transaction(settings: Settings, units: Units) -> None:
    with units.write(), pytest.raises(NetworkInsideUnitOfWork):
        mailer_for(replace(settings, mail_url="smtp://127.0.0.1:1")).send(units, LETTER)


class _Webhook(BaseHTTPRequestHandler):
    status = 200
    seen: list[tuple[dict[str, str], bytes]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((dict(self.headers), body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Stay silent."""


def test_text_messages_leave_by_a_signed_webhook(settings: Settings, units: Units) -> None:
    _Webhook.seen.clear()
    with serving(HTTPServer(("127.0.0.1", 0), _Webhook)) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/sms"
        texter_for(replace(settings, sms_url=url, sms_secret="shared")).send(units, LETTER)

    [(headers, body)] = _Webhook.seen
    signed = hmac.new(b"shared", headers["Circle-Timestamp"].encode() + b"." + body, sha256).hexdigest()
    assert headers["Circle-Signature"] == f"v1={signed}"
    assert headers["Idempotency-Key"] == LETTER.key
    assert orjson.loads(body) == {"to": LETTER.to, "text": LETTER.body, "key": LETTER.key}


def test_a_webhook_that_fails_is_tried_again_later_and_its_address_not_told(settings: Settings, units: Units) -> None:
    class Broken(_Webhook):
        status = 500

    with serving(HTTPServer(("127.0.0.1", 0), Broken)) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/sms?key=hush"
        with pytest.raises(DeliveryFailed) as failure:
            SmsWebhook(replace(settings, sms_url=url, sms_secret="shared")).send(units, LETTER)

    assert str(failure.value) == "the SMS webhook answered 500"


def test_a_channel_that_is_not_set_up_says_so(settings: Settings, units: Units) -> None:
    with pytest.raises(DeliveryFailed, match="MAIL_URL is not set"):
        mailer_for(replace(settings, mail_url="")).send(units, LETTER)


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("mail_url", "http://mail", "MAIL_URL"),
        ("sms_url", "ftp://sms", "SMS_URL"),
        ("sms_url", "https://sms", "SMS_SECRET"),
        ("stripe_secret_key", "sk_live_1", "STRIPE_SECRET_KEY"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, setting: str, value: str, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        replace(settings, **{setting: value}).check()  # type: ignore[arg-type]


def test_a_code_arrives_and_a_replaced_one_does_not(world: World, api: Api) -> None:
    person = world.person()
    for _ in range(2):
        api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    code = world.last_code(person.email)

    api.post("/test/drain").ok(200)

    [letter] = api._client.get(f"/dev/mailbox.json?to={person.email}").get_json()["items"]
    assert code in letter["subject"]
    assert "不要告诉任何人" in letter["body"]
    api.post("/auth/login", {"email": person.email, "code": code}).ok(200)


def test_a_code_for_a_phone_is_a_text_message(api: Api) -> None:
    api.post("/auth/codes", {"phone": "+8613800138000", "purpose": "register"}).ok(204)

    api.post("/test/drain").ok(200)

    [letter] = api._client.get("/dev/mailbox.json?to=%2B8613800138000").get_json()["items"]
    assert letter["channel"] == "sms"
