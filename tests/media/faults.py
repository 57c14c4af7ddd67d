"""A storage that is not there, or that listens and never answers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread
from typing import Any, cast

from circle.config import Settings
from circle.kernel.uow import Units
from circle.media.s3 import S3Storage
from circle.media.storage import Storage


@contextmanager
def closed_port() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def silent_port() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def dripping_port() -> Iterator[str]:
    """An address that promises much and sends it drop by drop."""
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 65536\r\nContent-Range: bytes 0-65535/65536\r\n\r\n"
    over = Event()

    def drip(listening: socket.socket) -> None:
        client, _ = listening.accept()
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(head)
            while not over.wait(0.01):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = Thread(target=drip, args=(listening,), daemon=True)
        dripping.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        dripping.join()


@contextmanager
def storage_at(units: Units, endpoint: str) -> Iterator[S3Storage]:
    """Let the product look for its storage at `endpoint`; links for clients stay as they are."""
    settings = units.use(Settings)
    moved = replace(settings, s3_endpoint=endpoint, s3_public_endpoint=settings.s3_endpoint)
    adapters = cast("dict[type, Any]", units.adapters)
    kept, adapters[Storage] = adapters[Storage], S3Storage(moved)
    try:
        yield adapters[Storage]
    finally:
        adapters[Storage] = kept


@contextmanager
def no_storage(units: Units) -> Iterator[S3Storage]:
    with closed_port() as endpoint, storage_at(units, endpoint) as storage:
        yield storage
