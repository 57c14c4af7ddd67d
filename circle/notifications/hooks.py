"""Webhooks at the wire: signed, in time, and never to an address inside the installation's own network.

The address that was checked is the one that is connected to, so that a name can't mean another one by then. Nothing is
followed elsewhere, and no answer is read but its status.
"""

import hmac
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

import httpcore

from circle.config import Settings
from circle.kernel.clock import elapsed, unix_seconds
from circle.kernel.uow import forbid_inside_unit_of_work

# For everything: name, connection, sending, the head of the answer.
MOST_SECONDS = 6.0
_OK = range(200, 300)
# All of IPv6 that is given out (RFC 4291, IANA); elsewhere lie those that hold an IPv4 address, and the inside.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
# What `is_global` lets pass: a tunnel to IPv4 and its relays, and addresses of documents.
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("2002::/16", "192.88.99.0/24", "3fff::/20")))

Socket = Iterable[tuple[Any, ...]]


class HookAnswer(NamedTuple):
    """What came back: a status, or why there is none."""

    status: int | None
    error: str | None = None

    @property
    def is_taken(self) -> bool:
        return self.status in _OK


class Hooks(Protocol):
    """Posts to webhooks."""

    def post(self, url: str, body: bytes, *, key: str, secret: str) -> HookAnswer: ...


class AddressRefused(OSError):
    """The address is none that a stranger may have us call."""


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the internet at large."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _GIVEN_OUT:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class HttpHooks:
    """Posts with `Circle-Timestamp`, and in `Circle-Signature` `v1=` and the hex HMAC-SHA256 of `<timestamp>.<body>`.

    `Idempotency-Key` is the same when a notice is posted again.
    """

    def __init__(self, settings: Settings) -> None:
        self._private = settings.webhooks_private

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def post(self, url: str, body: bytes, *, key: str, secret: str) -> HookAnswer:
        forbid_inside_unit_of_work()
        timestamp = str(int(unix_seconds()))
        signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()
        headers: Mapping[bytes | str, bytes | str] = {
            "Content-Type": "application/json",
            "Host": _host_of(urlsplit(url)),
            "User-Agent": "Circle-Webhooks",
            "Idempotency-Key": key,
            "Circle-Timestamp": timestamp,
            "Circle-Signature": f"v1={signed}",
        }
        network = _Network(elapsed() + MOST_SECONDS, private=self._private)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=network) as pool,
                pool.stream("POST", url, headers=headers, content=body) as answer,
            ):
                return HookAnswer(answer.status)
        except AddressRefused:
            return HookAnswer(None, "the address is not public")
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            # The error's text could carry what the network inside looks like.
            return HookAnswer(None, type(error).__name__)


def _host_of(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2]


class _Network(httpcore.NetworkBackend):
    """Connects to public addresses only, and has one deadline for a whole request."""

    def __init__(self, deadline: float, *, private: bool) -> None:
        self._real = httpcore.SyncBackend()
        self._deadline = deadline
        self._private = private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - there is one for everything
        local_address: str | None = None,
        socket_options: Socket | None = None,
    ) -> httpcore.NetworkStream:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]) for one in found]
        if not self._private and not all(is_public(address) for address in addresses):
            raise AddressRefused
        stream = self._real.connect_tcp(addresses[0], port, _left(self._deadline), local_address, socket_options)
        return _Timed(stream, self._deadline)


class _Timed(httpcore.NetworkStream):
    """A connection whose every step has what is left of the time: drop by drop is no way to keep us."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - elapsed()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
