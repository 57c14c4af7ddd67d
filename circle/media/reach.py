"""Who may wait for a storage: half of a process's threads, and nobody while it is known to be away.

Reads and writes of text share those threads. Without this a storage that hangs would take all of them along.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from circle.kernel.clock import elapsed
from circle.media.errors import StorageUnavailable

# What an answer usually takes is a hundredth of this.
ROOM_SECONDS = 0.25
# A failure that took longer was a storage that hangs, which is then left alone for a while.
HANGS_SECONDS = 1.0
LEFT_ALONE_SECONDS = 5.0


class Reach:
    """One storage as this process sees it."""

    def __init__(self, threads: int) -> None:
        self._room = BoundedSemaphore(max(1, threads // 2))
        self._left_alone_until = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for the storage inside. Errors: StorageUnavailable, at once where waiting would be in vain."""
        if elapsed() < self._left_alone_until or not self._room.acquire(timeout=ROOM_SECONDS):
            raise StorageUnavailable
        try:
            if self._left_alone_until:
                # One asks whether it is back; the others don't wait for that.
                self._left_alone_until = elapsed() + LEFT_ALONE_SECONDS
            began = elapsed()
            try:
                yield
            except StorageUnavailable:
                if elapsed() - began > HANGS_SECONDS:
                    self._left_alone_until = elapsed() + LEFT_ALONE_SECONDS
                raise
            self._left_alone_until = 0.0
        finally:
            self._room.release()
