"""What people ask and what they do with the answers; every write is remembered, to be looked for afterwards."""

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from bench.day.town import Town, token
from bench.day.wire import Answer

_HEART = quote("❤️")
_POST = "今天把昨天写的改了一遍，{word}，删掉一半以后更好读。"
_COMMENT = "说到心里了，{word}，谢谢。"
_CHECK_IN = "清晨五点半，窗外有鸟，{word}，写下今天的第一段话。"
_READ_UNREAD = 5


@dataclass
class Written:
    """What the server said it has kept."""

    posts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    reactions: set[tuple[str, str]] = field(default_factory=set)
    check_ins: list[tuple[str, str]] = field(default_factory=list)


class Unseen(Exception):
    """Somebody does not see what they just wrote."""


class Visitor:
    """One person in one visit to one circle."""

    def __init__(self, town: Town, host: str, written: Written) -> None:
        self._town = town
        self._host = host
        self._written = written
        self._person, circle, _ = random.choice(town.members)
        self._circle = f"00000003-0000-7000-8000-{circle:012x}"
        self._camp = ""
        self._posts: list[str] = []
        self._post = ""
        self._mine = ""
        self._older = ""
        self._notices: list[str] = []
        self._does = _DOES

    def ask(self, kind: str) -> bytes | None:
        """Return the request of a step; None: there is nothing to do, such as no further page."""
        return self._does[kind][0](self)

    def take(self, kind: str, answer: Answer) -> None:
        """Look at what came. Errors: Unseen."""
        if (look := self._does[kind][1]) is not None:
            look(self, answer.body)

    def take_camp(self) -> None:
        """Come as somebody who has not yet checked in today."""
        self._person, self._camp = self._town.check_ins.pop()

    # Requests, by kind.

    def circles(self) -> bytes:
        return self._get("/v1/me/circles")

    def unread(self) -> bytes:
        return self._get(f"/v1/circles/{self._circle}/unread")

    def feed(self) -> bytes:
        return self._get(f"/v1/circles/{self._circle}/posts")

    def feed_older(self) -> bytes | None:
        return self._get(f"/v1/circles/{self._circle}/posts?cursor={quote(self._older)}") if self._older else None

    def post(self) -> bytes | None:
        if not self._posts:
            return None
        self._post = random.choice(self._posts)
        return self._get(f"/v1/posts/{self._post}")

    def comments(self) -> bytes | None:
        return self._get(f"/v1/posts/{self._post}/comments") if self._post else None

    def comments_newest(self) -> bytes | None:
        return self._get(f"/v1/posts/{self._post}/comments?order=newest") if self._mine else None

    def related(self) -> bytes | None:
        return self._get(f"/v1/posts/{self._post}/related") if self._post else None

    def own_post(self) -> bytes | None:
        return self._get(f"/v1/posts/{self._mine}") if self._mine else None

    def mark_read(self) -> bytes | None:
        return self._send("PUT", f"/v1/posts/{self._post}/read", {}) if self._post else None

    def react(self) -> bytes | None:
        return self._send("PUT", f"/v1/posts/{self._post}/reactions/{_HEART}") if self._post else None

    def write(self) -> bytes:
        body = {"kind": "talk", "body": _POST.format(word=self._word())}
        return self._send("POST", f"/v1/circles/{self._circle}/posts", body)

    def comment(self) -> bytes | None:
        body = {"body": _COMMENT.format(word=self._word())}
        return self._send("POST", f"/v1/posts/{self._post}/comments", body) if self._post else None

    def search_circle(self) -> bytes:
        return self._get(f"/v1/search?q={quote(self._word())}&circle_id={self._circle}")

    def search_all(self) -> bytes:
        return self._get(f"/v1/search?q={quote(self._word())}")

    def notices(self) -> bytes:
        return self._get("/v1/me/notifications")

    def notices_read(self) -> bytes | None:
        return self._send("POST", "/v1/me/notifications/read", {"ids": self._notices}) if self._notices else None

    def camp(self) -> bytes:
        return self._get(f"/v1/camps/{self._camp}/me")

    def calendar(self) -> bytes:
        return self._get(f"/v1/camps/{self._camp}/calendar?month={self._town.month}")

    def check_in(self) -> bytes:
        body = {"body": _CHECK_IN.format(word=self._word())}
        return self._send("POST", f"/v1/camps/{self._camp}/check-ins", body)

    def ranking(self) -> bytes:
        return self._get(f"/v1/camps/{self._camp}/rankings?by=streak")

    def entries(self) -> bytes:
        return self._get(f"/v1/camps/{self._camp}/check-ins")

    # Answers.

    def found_posts(self, body: bytes) -> None:
        page = orjson.loads(body)
        self._posts = [one["id"] for one in page["items"] if not one["locked"]] or self._posts
        self._older = page["next_cursor"] or ""

    def found_mine(self, body: bytes) -> None:
        if self._mine.encode() not in body:
            raise Unseen(self._mine)

    def found_hits(self, body: bytes) -> None:
        self._posts = [one["post"]["id"] for one in orjson.loads(body)["items"] if one["post"]] or self._posts

    def found_notices(self, body: bytes) -> None:
        unread = [one["id"] for one in orjson.loads(body)["items"] if one["read_at"] is None]
        self._notices = unread[:_READ_UNREAD]

    def found_done(self, body: bytes) -> None:
        if orjson.loads(body)["today"]["state"] != "done":
            raise Unseen(f"check-in of {self._person} in {self._camp}")

    def wrote_post(self, body: bytes) -> None:
        self._mine = orjson.loads(body)["id"]
        self._written.posts.append(self._mine)

    def wrote_comment(self, body: bytes) -> None:
        self._mine = orjson.loads(body)["id"]
        self._written.comments.append(self._mine)

    def wrote_reaction(self, _body: bytes) -> None:
        self._written.reactions.add((self._post, self._id()))

    def wrote_check_in(self, _body: bytes) -> None:
        self._written.check_ins.append((self._camp, self._id()))

    def _id(self) -> str:
        return f"00000001-0000-7000-8000-{self._person:012x}"

    def _word(self) -> str:
        return random.choice(self._town.queries)

    def _get(self, path: str) -> bytes:
        return self._head("GET", path).encode() + b"\r\n"

    def _send(self, method: str, path: str, body: Any = None) -> bytes:
        sent = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        head = self._head(method, path) + f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        if method == "POST":
            head += f"Idempotency-Key: {uuid.uuid4()}\r\n"
        return head.encode() + b"\r\n" + sent

    def _head(self, method: str, path: str) -> str:
        return f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token(self._person)}\r\n"


_Ask = Callable[[Visitor], bytes | None]
_Look = Callable[[Visitor, bytes], None]
_DOES: dict[str, tuple[_Ask, _Look | None]] = {
    "circles": (Visitor.circles, None),
    "unread": (Visitor.unread, None),
    "feed": (Visitor.feed, Visitor.found_posts),
    "feed, older": (Visitor.feed_older, Visitor.found_posts),
    "feed, with mine": (Visitor.feed, Visitor.found_mine),
    "post": (Visitor.post, None),
    "own post": (Visitor.own_post, None),
    "mark read": (Visitor.mark_read, None),
    "comments": (Visitor.comments, None),
    "comments, with mine": (Visitor.comments_newest, Visitor.found_mine),
    "related": (Visitor.related, None),
    "react": (Visitor.react, Visitor.wrote_reaction),
    "write": (Visitor.write, Visitor.wrote_post),
    "comment": (Visitor.comment, Visitor.wrote_comment),
    "search a circle": (Visitor.search_circle, Visitor.found_hits),
    "search all": (Visitor.search_all, Visitor.found_hits),
    "notices": (Visitor.notices, Visitor.found_notices),
    "notices read": (Visitor.notices_read, None),
    "camp": (Visitor.camp, None),
    "camp, done": (Visitor.camp, Visitor.found_done),
    "calendar": (Visitor.calendar, None),
    "check in": (Visitor.check_in, Visitor.wrote_check_in),
    "ranking": (Visitor.ranking, None),
    "entries": (Visitor.entries, None),
}
