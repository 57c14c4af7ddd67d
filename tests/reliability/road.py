"""A road to a server, on which answers can be made to crawl: a kilobyte a second."""

import socket
import time
from contextlib import suppress
from threading import Thread

from tests.reliability.serving import LOOPBACK

_PIECE = 64 * 1024
# Of one that crawls, so much every so often.
_STEP, _STEP_SECONDS = 100, 0.1


class Road:
    """Copies connections both ways; while `crawls`, answers come step by step."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port = self._listening.getsockname()[1]
        self.crawls = False
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                try:
                    far = socket.create_connection((LOOPBACK, self._to_port))
                except OSError:
                    # Nobody is there: as good as refused.
                    near.close()
                    continue
                for source, target, is_answer in ((near, far, False), (far, near, True)):
                    Thread(target=self._copy, args=(source, target, is_answer), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:  # noqa: FBT001 - a thread's
        with suppress(OSError), source, target:
            while piece := source.recv(_PIECE):
                while piece and is_answer and self.crawls:
                    target.sendall(piece[:_STEP])
                    piece = piece[_STEP:]
                    time.sleep(_STEP_SECONDS)
                target.sendall(piece)
