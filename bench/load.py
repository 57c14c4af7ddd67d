"""A small load generator: keep-alive connections that ask one after the other, on asyncio's bare protocols.

A generator in Python takes its share of two cores; it takes the same share from every path that is compared.
"""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Request:
    """One request as bytes on the wire."""

    raw: bytes

    @classmethod
    def to(
        cls, url: str, *, token: str | None = None, method: str = "GET", body: bytes = b"", **headers: str
    ) -> "Request":
        split = urlsplit(url)
        lines = [f"{method} {split.path}{'?' + split.query if split.query else ''} HTTP/1.1", f"Host: {split.netloc}"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return cls("\r\n".join([*lines, "", ""]).encode() + body)


@dataclass(frozen=True)
class Result:
    """Requests per second, latencies in milliseconds, and answers that were not 2xx."""

    rate: float
    p50: float
    p99: float
    failed: int

    def __str__(self) -> str:
        failed = f", {self.failed} FAILED" if self.failed else ""
        return f"{self.rate:8,.0f}/s   p50 {self.p50:6.2f} ms   p99 {self.p99:6.2f} ms{failed}"


def read_answer(received: bytes) -> tuple[int, bytes] | None:
    """Return status and body of an answer, by its Content-Length; None while it is not whole."""
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    lowered = head.lower()
    at = lowered.find(_LENGTH)
    length = int(lowered[at + len(_LENGTH) :].partition(b"\r\n")[0]) if at >= 0 else 0
    return (int(head[9:12]), rest[:length]) if len(rest) >= length else None


class _Connection(asyncio.Protocol):
    """Sends a request, reads the answer by its Content-Length, sends the next, until the deadline."""

    def __init__(self, requests: list[Request], deadline: float, latencies: list[float]) -> None:
        self._requests = requests
        self._deadline = deadline
        self._latencies = latencies
        self._buffer = b""
        self.failed = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(random.choice(self._requests).raw)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = read_answer(self._buffer)
        if answer is None:
            return
        if not 200 <= answer[0] < 300:
            self.failed += 1
        now = time.perf_counter()
        self._latencies.append(now - self._began)
        self._buffer = b""
        if now < self._deadline:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def _run(url: str, requests: list[Request], connections: int, seconds: float) -> Result:
    loop = asyncio.get_running_loop()
    split = urlsplit(url)
    latencies: list[float] = []
    began = time.perf_counter()
    protocols = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            lambda: _Connection(requests, began + seconds, latencies), split.hostname, split.port
        )
        protocols.append(protocol)
    await asyncio.gather(*(protocol.done for protocol in protocols))
    elapsed = time.perf_counter() - began
    ordered = sorted(latencies)
    return Result(
        rate=len(ordered) / elapsed,
        p50=statistics.median(ordered) * 1000,
        p99=ordered[int(len(ordered) * 0.99)] * 1000,
        failed=sum(protocol.failed for protocol in protocols),
    )


def measure(url: str, requests: list[Request], *, connections: int = 16, seconds: float = 5.0) -> Result:
    """Ask for `seconds` over `connections`, each request drawn at random."""
    return asyncio.run(_run(url, requests, connections, seconds))
