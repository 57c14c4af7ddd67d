"""Homework for tests: over HTTP, as somebody."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from circle.jobs import load_job
from tests.builders.circles import BuiltCircle, Circles
from tests.builders.people import Person

RUBRIC = [
    {"name": "论点", "levels": [{"name": "清楚", "points": 6}, {"name": "模糊", "points": 2}]},
    {"name": "文字", "levels": [{"name": "通顺", "points": 4}, {"name": "生硬", "points": 0}]},
]
BEST = {"论点": "清楚", "文字": "通顺"}
WORST = {"论点": "模糊", "文字": "生硬"}


@dataclass(frozen=True)
class BuiltAssignment:
    id: str
    circle: BuiltCircle
    card: Any

    @property
    def path(self) -> str:
        return f"/assignments/{self.id}"


def at(moment: datetime, **later: float) -> str:
    return (moment + timedelta(**later)).isoformat()


class Homework(Circles):
    def assignment(self, circle: BuiltCircle, teacher: Person | None = None, **fields: Any) -> BuiltAssignment:
        """Homework due in seven days; `due_at=None` is never due."""
        now = self.units.clock.now()
        sent = {"title": "写一个开头", "brief": "三百字以内。", "due_at": at(now, days=7), **fields}
        card = (teacher or circle.owner).api.post(f"{circle.path}/assignments", sent).ok(201)
        return BuiltAssignment(card["id"], circle, card)

    def hand_in(self, assignment: BuiltAssignment, author: Person, body: str = "那年冬天", **content: Any) -> Any:
        return author.api.post(f"{assignment.path}/submissions", {"body": body, **content}).ok(201)

    def review(self, submission: Any, teacher: Person, verdict: str = "passed", **said: Any) -> Any:
        sent = {"verdict": verdict, "body": "不错", **said}
        return teacher.api.post(f"/submissions/{submission['id']}/reviews", sent).ok(201)

    def my_work(self, assignment: BuiltAssignment, member: Person) -> Any:
        return member.api.get(f"{assignment.path}/mine").ok(200)

    def missing(self, assignment: BuiltAssignment) -> list[str]:
        """Ids of those who still owe it."""
        items = assignment.circle.owner.api.get(f"{assignment.path}/missing?limit=100").ok()["items"]
        return [one["user"]["id"] for one in items]

    def remind_about_homework(self) -> int:
        return load_job("homework.remind").run(self.units)

    def close_peer_reviews(self) -> int:
        return load_job("homework.close_peer_reviews").run(self.units)
