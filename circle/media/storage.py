"""Object storage: the Protocol that the product talks to. `s3.py` speaks it; presigning alone works without a network.

Every method but the two presigning ones refuses to run inside a unit of work. Errors: StorageUnavailable.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, NamedTuple, Protocol


class PresignedPost(NamedTuple):
    """Where a client sends a multipart form: `fields` first, then the file as `file`."""

    url: str
    fields: dict[str, str]


class Peek(NamedTuple):
    """The size of a whole object in bytes, and its beginning."""

    size: int
    head: bytes


class Storage(Protocol):
    def presign_post(self, key: str, *, content_type: str, size: int, seconds: int) -> PresignedPost:
        """Let a client upload one object: this key, this content type, exactly `size` bytes."""
        ...

    def presign_get(self, key: str, *, seconds: int, content_type: str, disposition: str) -> str:
        """Return a link that answers with these headers."""
        ...

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        ...

    def peek(self, key: str, length: int) -> Peek | None:
        """Return the first bytes of an object, in one call; None where there is none."""
        ...

    def open(self, key: str) -> AbstractContextManager[Iterator[bytes] | None]:
        """Read an object in chunks; None where there is none."""
        ...

    def put(self, key: str, data: bytes, *, content_type: str) -> None: ...

    def upload(self, key: str, stream: IO[bytes], *, content_type: str) -> None:
        """Write an object of any size, from where the stream stands."""
        ...

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects; what is not there is no error."""
        ...

    def abort_uploads(self, prefix: str) -> None:
        """Forget uploads in parts that were begun under keys of this prefix and never ended."""
        ...

    def ensure_bucket(self) -> None: ...

    def check(self) -> str | None:
        """Return what is wrong with the storage in plain words; None: all is well."""
        ...
