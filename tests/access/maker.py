"""Makes the things of the scene, and notes what they are called and which words in them are secret."""

from dataclasses import dataclass
from typing import Any

from circle.kernel.clock import ManualClock
from tests.access.people import Cast
from tests.access.secrets import Secrets
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import World

POST = "GET /v1/posts/{post_id}"


@dataclass
class Maker:
    """Writes things down as it makes them."""

    world: World
    clock: ManualClock
    cast: Cast
    secrets: Secrets
    things: dict[str, dict[str, Any]]

    def by(self, role: str) -> Person:
        return self.cast.people[role]

    def post(self, target: str, author: str, circle: BuiltCircle | None = None, **content: Any) -> BuiltPost:
        """A post whose body, and title where nobody else sees it, is known to those who get 200 for it."""
        row = f"{POST} @{target}"
        content.setdefault("body", self.secrets.of(row, f"the body of the post @{target}"))
        made = self.world.post(circle or self.cast.open, self.by(author), **content)
        self.things.setdefault(target, {}).update({"post_id": made.id, "circle_id": made.circle.id})
        return made
