"""Keep-alive connections, as many as are needed at once: a request is sent when it is due, whoever else waits."""

import asyncio
import random
from dataclasses import dataclass
from typing import cast

from bench.load import read_answer

# Who waits longer than this has put the phone away.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body; status 0: no answer, and why."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _Connection(asyncio.Protocol):
    """One request at a time; the answer ends by its Content-Length."""

    def __init__(self, idle: "list[_Connection]") -> None:
        self._idle = idle
        self._buffer = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, raw: bytes) -> "asyncio.Future[Answer]":
        assert self._transport is not None  # noqa: S101 - for the type checker
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = read_answer(self._buffer)
        if answer is None:
            return
        self._buffer = b""
        self._settle(Answer(*answer))
        self._idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._idle:
            self._idle.remove(self)
        self._settle(Answer(0, f"connection lost: {error}".encode()))

    def give_up(self) -> None:
        self._waiting = None
        if self._transport is not None:
            self._transport.abort()

    def _settle(self, answer: Answer) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


class Wire:
    """The way to a server. Idle connections are drawn at random, so that every process of it gets its share."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[_Connection] = []
        self.opened = 0

    async def ask(self, raw: bytes) -> Answer:
        try:
            connection = self._take() or await self._open()
        except OSError as error:
            return Answer(0, f"no connection: {error}".encode())
        try:
            return await asyncio.wait_for(connection.send(raw), PATIENCE_SECONDS)
        except TimeoutError:
            connection.give_up()
            return Answer(0, b"no answer in time")

    def close(self) -> None:
        for connection in list(self._idle):
            connection.give_up()

    def _take(self) -> _Connection | None:
        if not self._idle:
            return None
        at = random.randrange(len(self._idle))
        self._idle[at], self._idle[-1] = self._idle[-1], self._idle[at]
        return self._idle.pop()

    async def _open(self) -> _Connection:
        self.opened += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self._idle), self._host, self._port)
        return connection
