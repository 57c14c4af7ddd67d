"""What people do meanwhile, as a program of its own: it runs on the client's machine.

`prepare`: a creator opens a circle, sells a tier; members join. `run`: so many requests a second by clients that keep
their connection; a write that got no answer is tried again with its key until it gets one, as an app does. Each line of
the output is one request: when it was sent and answered (seconds of one clock), what it was, its status (0: no answer),
its key if it writes.
"""

import http.client
import json
import random
import select
import socket
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 20.0
_AGAIN_SECONDS = 0.2
_GIVE_UP_SECONDS = 90.0
_MEMBERS = 24
# Every fourth device writes, four times out of five; the others read: for who writes, reads from the primary.
WRITERS, _WRITES = 4, 80
# Of 100 reads; and of 100 writes so many are somebody new who joins and pays.
_READS = (("feed", 76), ("page", 10), ("search", 7), ("me", 7))
_BUYERS = 5
_SERVER_ERROR = 500


class Client:
    """One device: its token and its connection."""

    def __init__(self, base: str, token: str = "") -> None:
        self._host, self._token = base, token
        self._connection: http.client.HTTPConnection | None = None
        self.seen: list[dict[str, Any]] = []

    def ask(self, what: str, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """Send one request and note what became of it; status 0 where there was no answer."""
        sent = time.monotonic()
        status, answer = 0, None
        try:
            if self._connection is None or self._was_closed():
                self._hang_up()
                self._connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)
            headers = {"Content-Type": "application/json"}
            if self._token:
                headers["Authorization"] = f"Bearer {self._token}"
            if key:
                headers["Idempotency-Key"] = key
            data = None if body is None else json.dumps(body)
            self._connection.request(method, f"/v1{path}", data, headers)
            response = self._connection.getresponse()
            content = response.read()
            status = response.status
            answer = json.loads(content) if content else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            answer = f"{type(error).__name__}: {error}"
            self._hang_up()
        if status >= _SERVER_ERROR:
            self._hang_up()
        code = answer.get("code") if isinstance(answer, dict) else answer if status == 0 else None
        at = time.monotonic()
        self.seen.append({"sent": sent, "at": at, "what": what, "status": status, "code": code, "key": key})
        return status, answer

    def surely(self, what: str, path: str, body: Any) -> Any:
        """Write until there is an answer, always with the same key."""
        key, until = uuid.uuid4().hex, time.monotonic() + _GIVE_UP_SECONDS
        while True:
            status, answer = self.ask(what, "POST", path, body, key)
            if status and status < _SERVER_ERROR and status not in {409, 425, 429}:
                return answer
            if time.monotonic() > until:
                return None
            time.sleep(_AGAIN_SECONDS)

    def be(self, token: str) -> None:
        self._token = token

    def _was_closed(self) -> bool:
        """Whether the other side closed the connection while it was idle: every HTTP client looks for that."""
        sock = self._connection.sock if self._connection else None
        return sock is not None and bool(select.select([sock], [], [], 0)[0])

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def prepare(base: str) -> dict[str, Any]:
    owner = Client(base)
    token = _register(owner)
    circle = owner.surely("open", "/circles", {"name": "写作圈"})["id"]
    tier = owner.surely("tier", f"/circles/{circle}/tiers", {"name": "读者", "rank": 1})["id"]
    free, paid = (
        owner.surely("price", f"/tiers/{tier}/prices", {"amount": amount, "currency": "CNY", "interval": "month"})["id"]
        for amount in (0, 2900)
    )
    tokens = [token]
    for _ in range(_MEMBERS):
        member = Client(base)
        tokens.append(_register(member))
        member.surely("join", f"/circles/{circle}/join", {"price_id": free})
    post = owner.surely("post", f"/circles/{circle}/posts", {"kind": "talk", "body": "第一条"})["id"]
    return {"circle": circle, "paid": paid, "tokens": tokens, "post": post}


def _register(client: Client) -> str:
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    login = {"email": email, "password": "a good password"}
    answer = client.surely("register", "/auth/register", {**login, "display_name": "成员"})
    if not answer or "token" not in answer:  # the answer of a first try was lost, and its key with it
        answer = client.surely("register", "/auth/login", login)
    token = str(answer["token"])
    client.be(token)
    return token


class Crowd:
    """Clients in threads, which share out the rate; what they were promised is kept."""

    def __init__(self, base: str, told: dict[str, Any], seconds: float, rate: float, clients: int) -> None:
        self._base, self._told = base, told
        self._feed = f"/circles/{told['circle']}/posts"
        self._end = time.monotonic() + seconds
        self._pause, self._clients = clients / rate, clients
        self.posted: dict[str, str] = {}
        self.paid: list[str] = []
        self.missing: list[str] = []
        self.seen: list[dict[str, Any]] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._be, args=(number,)) for number in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _be(self, number: int) -> None:
        tokens = self._told["tokens"]
        client, luck = Client(self._base, tokens[number % len(tokens)]), random.Random(number)  # noqa: S311
        due = time.monotonic() + self._pause * number / self._clients
        while due < self._end:
            time.sleep(max(0.0, due - time.monotonic()))
            if number % WRITERS == 0 and luck.random() * 100 < _WRITES:
                self._write(client, luck)
            else:
                self._read(client, luck)
            due = max(due + self._pause, time.monotonic() - 1)
        self.seen += client.seen

    def _read(self, client: Client, luck: random.Random) -> None:
        circle = self._told["circle"]
        paths = {"feed": self._feed, "page": f"/posts/{self._told['post']}", "me": "/me"}
        paths["search"] = f"/search?q=%E7%AC%AC%E4%B8%80&circle_id={circle}"
        [what] = luck.choices([name for name, _share in _READS], [share for _name, share in _READS])
        client.ask(what, "GET", paths[what])

    def _write(self, client: Client, luck: random.Random) -> None:
        if luck.random() * 100 < _BUYERS:
            self._buy()
            return
        body = f"写于 {uuid.uuid4().hex}"
        posted = client.surely("post", self._feed, {"kind": "talk", "body": body})
        if posted and "id" in posted:
            self.posted[body] = posted["id"]
            status, page = client.ask("own", "GET", f"{self._feed}?limit=100")
            if status == http.HTTPStatus.OK and posted["id"] not in {item["id"] for item in page["items"]}:
                self.missing.append(posted["id"])

    def _buy(self) -> None:
        """Join as a new person, and pay."""
        buyer = Client(self._base)
        _register(buyer)
        method = buyer.surely("method", "/me/payment-methods", {"provider": "sandbox", "token": "ok"})
        joined = buyer.surely("join", f"/circles/{self._told['circle']}/join", {"price_id": self._told["paid"]})
        if method and joined and joined.get("checkout"):
            checkout = joined["checkout"]["id"]
            answer = buyer.surely("pay", f"/checkouts/{checkout}/pay", {"payment_method": method["id"]})
            if answer and answer.get("status") == "succeeded":
                self.paid.append(checkout)
        self.seen += buyer.seen


def main() -> None:
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    mode, base, told = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if mode == "prepare":
        told.write_text(json.dumps(prepare(base)), encoding="utf-8")
        return
    seconds, rate, clients, out = float(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]), Path(sys.argv[7])
    crowd = Crowd(base, json.loads(told.read_text(encoding="utf-8")), seconds, rate, clients)
    crowd.run()
    kept = {"seen": crowd.seen, "posted": crowd.posted, "paid": crowd.paid, "missing": crowd.missing}
    out.write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
