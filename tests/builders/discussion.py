"""What is said below posts, for tests: over HTTP, as somebody."""

from typing import Any

from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.builders.posts import BuiltPost, Posts


def mention(person: Person, name: str = "谁") -> str:
    """The mark-up that names somebody."""
    return f"@[{name}](user:{person.id})"


class Discussion(Posts):
    def comment(self, post: BuiltPost, author: Person, body: str = "同意", *, parent: Any = None) -> Any:
        """A comment, or a reply to `parent`; returns the answer."""
        sent = {"body": body, **({"parent_id": parent["id"]} if parent else {})}
        return author.api.post(f"{post.path}/comments", sent).ok(201)

    def comments(self, post: BuiltPost, reader: Person, **query: str) -> Any:
        """The first page of a post's comments as somebody sees it."""
        return reader.api.get(f"{post.path}/comments", query_string=query).ok()["items"]

    def ask(self, circle: BuiltCircle, asker: Person, **content: Any) -> Any:
        """A question to the owner, or to `asked_id`; returns the answer."""
        sent = {"kind": "question", "title": "怎么写?", "body": "从哪里开始?", **content}
        return asker.api.post(f"{circle.path}/posts", sent).ok(201)

    def block_word(self, circle: BuiltCircle, word: str, action: str = "block") -> Any:
        return circle.owner.api.post(f"{circle.path}/blocked-words", {"word": word, "action": action}).ok(201)

    def notices(self, person: Person, kind: str | None = None) -> list[Any]:
        """What somebody was told, latest first."""
        items = person.api.get("/me/notifications").ok()["items"]
        return [one for one in items if kind in {None, one["kind"]}]
