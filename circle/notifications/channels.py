"""How letters leave: SMTP, a webhook for text messages, or the mailbox of a development installation."""

import hmac
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Literal, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import httpx
import orjson
from sqlalchemy.dialects.postgresql import insert

from circle.config import Settings
from circle.kernel.clock import unix_seconds
from circle.kernel.ids import new_id
from circle.kernel.outbox import DeliveryFailed
from circle.kernel.uow import Units, forbid_inside_unit_of_work
from circle.notifications.models import MailboxMessage

MAILBOX = "mailbox:"
Channel = Literal["email", "sms"]

_SMTP_TIMEOUT_SECONDS = 10.0
_SMS_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
_SMTP_PORTS = {"smtp": 587, "smtps": 465}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one address. `key` is the same when it is sent again."""

    key: str
    to: str
    subject: str
    body: str


class Sender(Protocol):
    """Hands a letter on. Errors: DeliveryFailed, after which it is tried again later."""

    def send(self, units: Units, letter: Letter) -> None: ...


class Mailer(Sender, Protocol):
    """Sends e-mail."""


class Texter(Sender, Protocol):
    """Sends text messages; the subject is not part of them."""


def mailer_for(settings: Settings) -> Mailer:
    if settings.mail_url == MAILBOX:
        return Mailbox("email")
    return Smtp(settings) if settings.mail_url else Unset("MAIL_URL")


def texter_for(settings: Settings) -> Texter:
    if settings.sms_url == MAILBOX:
        return Mailbox("sms")
    return SmsWebhook(settings) if settings.sms_url else Unset("SMS_URL")


class Unset:
    """Stands for a channel that the operator did not set up."""

    def __init__(self, setting: str) -> None:
        self._setting = setting

    def send(self, _units: Units, _letter: Letter) -> None:
        raise DeliveryFailed(f"{self._setting} is not set")


class Mailbox:
    """Keeps letters for `/dev/mailbox`, each once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, units: Units, letter: Letter) -> None:
        with units.write() as uow:
            row = {"id": new_id(), "channel": self._channel, "created_at": uow.now}
            content = {"key": letter.key, "to": letter.to, "subject": letter.subject, "body": letter.body}
            uow.session.execute(insert(MailboxMessage).values(**row, **content).on_conflict_do_nothing())


class Smtp:
    """Sends by SMTP (RFC 5321): `smtps://` encrypts from the start, `smtp://` as soon as the server offers it.

    A password never travels in the clear, except to this machine itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = urlsplit(settings.mail_url)
        self._from = settings.mail_from
        self._domain = urlsplit(settings.site_url).hostname or "localhost"

    def send(self, units: Units, letter: Letter) -> None:
        forbid_inside_unit_of_work()
        mail = self._compose(units, letter)
        try:
            with self._connect() as connection:
                connection.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(f"SMTP: {type(error).__name__}: {error}") from None

    def _compose(self, units: Units, letter: Letter) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._from
        mail["To"] = letter.to
        mail["Subject"] = " ".join(letter.subject.split())
        mail["Date"] = format_datetime(units.clock.now())
        # The same letter sent twice carries the same id, by which mail programs show it once.
        mail["Message-ID"] = f"<{sha256(letter.key.encode()).hexdigest()[:32]}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies
        mail.set_content(letter.body)
        return mail

    def _connect(self) -> smtplib.SMTP:
        url, host = self._url, self._url.hostname or ""
        port = url.port or _SMTP_PORTS[url.scheme]
        context = ssl.create_default_context()
        if url.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SMTP_TIMEOUT_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(host, port, timeout=_SMTP_TIMEOUT_SECONDS)
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
            elif url.username and host not in _LOOPBACK:
                connection.close()
                raise smtplib.SMTPNotSupportedError("the server offers no encryption for the password")
        _log_in(connection, url)
        return connection


def _log_in(connection: smtplib.SMTP, url: SplitResult) -> None:
    if url.username:
        try:
            connection.login(unquote(url.username), unquote(url.password or ""))
        except smtplib.SMTPException:
            connection.close()
            raise


class SmsWebhook:
    """Posts `{"to", "text", "key"}` to the operator's address, signed with SMS_SECRET.

    `Circle-Signature` is `v1=` and the hex HMAC-SHA256 of `<Circle-Timestamp>.<body>`; `Idempotency-Key` is the same
    when a message is sent again. Any status but 2xx is a failure.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.sms_url
        self._secret = settings.sms_secret

    def send(self, _units: Units, letter: Letter) -> None:
        forbid_inside_unit_of_work()
        body = orjson.dumps({"to": letter.to, "text": letter.body, "key": letter.key})
        timestamp = str(int(unix_seconds()))
        signed = hmac.new(self._secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": letter.key,
            "Circle-Timestamp": timestamp,
            "Circle-Signature": f"v1={signed}",
        }
        try:
            httpx.post(self._url, content=body, headers=headers, timeout=_SMS_TIMEOUT).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise DeliveryFailed(f"the SMS webhook answered {error.response.status_code}") from None
        except httpx.HTTPError as error:
            # The error's text would carry the address, which may hold a secret.
            raise DeliveryFailed(f"the SMS webhook: {type(error).__name__}") from None
