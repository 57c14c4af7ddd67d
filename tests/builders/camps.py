"""Check-in camps for tests: opened, joined and done over HTTP, as a client would."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from circle.jobs import load_job
from tests.builders.circles import BuiltCircle, Circles
from tests.builders.people import Person

# The tests' first day, in Shanghai.
FIRST_DAY = date(2026, 3, 1)


@dataclass
class BuiltCamp:
    id: UUID
    circle: BuiltCircle
    starts_on: date

    @property
    def path(self) -> str:
        return f"/camps/{self.id}"

    @property
    def teacher(self) -> Person:
        return self.circle.owner

    def day(self, number: int) -> str:
        """The n-th day of the calendar from the camp's first, as the API writes it."""
        return (self.starts_on + timedelta(days=number - 1)).isoformat()


class Camps(Circles):
    def camp(self, circle: BuiltCircle | None = None, *, days: int = 21, **rules: Any) -> BuiltCamp:
        """A daily camp of so many days that starts today; `rules` as in `POST /circles/{id}/camps`."""
        circle = circle or self.circle()
        term = {} if "evergreen_days" in rules else {"ends_on": (FIRST_DAY + timedelta(days=days - 1)).isoformat()}
        sent = {"title": "晨间写作营", "starts_on": FIRST_DAY.isoformat(), **term, **rules}
        made = circle.owner.api.post(f"{circle.path}/camps", sent).ok(201)
        return BuiltCamp(UUID(made["id"]), circle, date.fromisoformat(made["starts_on"]))

    def camper(self, camp: BuiltCamp, name: str = "林晓", *, tier: int | None = None, days: int = 400) -> Person:
        """A member of the circle who has joined the camp."""
        person = self.member(camp.circle, tier, name=name, days=days)
        person.api.post(f"{camp.path}/join").ok(200)
        return person

    def check_in(self, camp: BuiltCamp, person: Person, **sent: Any) -> Any:
        """Check in; returns the answer."""
        return person.api.post(f"{camp.path}/check-ins", {"body": "今天也写了。", **sent}).ok()

    def part(self, camp: BuiltCamp, person: Person) -> Any:
        """What `GET /camps/{id}/me` answers."""
        return person.api.get(f"{camp.path}/me").ok()

    def run_job(self, name: str) -> int:
        return load_job(name).run(self.units)
