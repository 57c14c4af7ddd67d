"""The roles of the access matrix: who each is in the scene's three circles."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from circle.accounts.services.operators import set_operator, suspend_user
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.memberships.models import Membership, Role, Status
from tests.access.secrets import Secrets
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

TIERS = (("旁听", 1, 0), ("读者", 2, 1900), ("学员", 3, 9900))
FREE, TIER1, TIER2 = 1, 2, 3
STAFF = (Role.PARTNER, Role.ADMIN, Role.GUEST)
PEOPLE = (
    "suspended",
    "deleted",
    "outsider",
    "other_member",
    "other_owner",
    "operator",
    "removed",
    "pending",
    "expired",
    "refunded",
    "banned",
    "free",
    "tier1",
    "tier2",
    "muted",
    "owner",
    "partner",
    "admin",
    "guest",
)
# How long before the scene's present its circles were opened.
OPENED = timedelta(days=60)


@dataclass(frozen=True)
class Cast:
    """Everybody, and the circles: `open` is an ordinary one, `hidden` shows strangers nothing, `closed` is closed.

    All have the same people in the same roles; `other` belongs to others.
    """

    people: dict[str, Person]
    tokens: dict[str, str]
    open: BuiltCircle
    hidden: BuiltCircle
    closed: BuiltCircle
    other: BuiltCircle

    @property
    def circles(self) -> tuple[BuiltCircle, BuiltCircle, BuiltCircle]:
        return self.open, self.hidden, self.closed


def gather(world: World, clock: ManualClock, secrets: Secrets) -> Cast:
    """Open the circles 60 days ago and let everybody in, or not, today."""
    now = clock.now()
    clock.set(now - OPENED)
    people = {name: world.person(f"某人 {name}") for name in PEOPLE}
    owner, other_owner = people["owner"], people["other_owner"]
    opened = world.circle(owner, tiers=TIERS, name="写作圈")
    hidden_row = "GET /v1/circles/{circle_id} @hidden_circle"
    # Who was in it, or asked to be, knows what it is called.
    hidden_name = secrets.of(
        hidden_row, "the hidden circle's name", also=("removed", "banned", "pending"), is_name=True
    )
    hidden = world.circle(owner, tiers=TIERS, name=hidden_name, preview_policy="none", slug="hidden-one")
    closed = world.circle(owner, tiers=TIERS, name="旧圈")
    other = world.circle(other_owner, tiers=TIERS, name="别的圈")
    clock.set(now)
    world.member(other, TIER2, person=people["other_member"])
    cast = Cast(people, {}, opened, hidden, closed, other)
    for circle in cast.circles:
        _enrol(world, circle, people, now)
    _make_special(world, people)
    cast.tokens.update({name: person.token for name, person in people.items()})
    cast.tokens.update(_tokens(owner))
    return cast


def _enrol(world: World, circle: BuiltCircle, people: dict[str, Person], now: datetime) -> None:
    """Make everybody in a circle what their role says."""
    manage = f"{circle.path}/members"
    owner = circle.owner.api
    for role in STAFF:
        world.member(circle, role=role, person=people[role])
    world.member(circle, FREE, person=people["free"])
    for name in ("tier2", "muted", "suspended", "deleted", "removed", "banned"):
        world.member(circle, TIER2, person=people[name])
    for name in ("tier1", "refunded"):
        world.paying_member(circle, circle.tier(TIER1), person=people[name])
        people[name].extra.setdefault("invoices", {})[circle.id] = people[name].extra["invoice_id"]
    world.member(circle, TIER2, person=people["expired"], started=now - OPENED, ended=now - timedelta(days=1))
    until = (now + timedelta(days=30)).isoformat()
    owner.patch(f"{manage}/{people['muted'].id}", {"muted_until": until}).ok()
    owner.post(f"{manage}/{people['removed'].id}/remove", {"refund": False}).ok()
    owner.post(f"{manage}/{people['banned'].id}/ban", {"refund": False}).ok()
    world.refund(circle.owner, people["refunded"].extra["invoice_id"]).ok()
    _apply(world, circle, people["pending"])


def _apply(world: World, circle: BuiltCircle, person: Person) -> None:
    with world.units.write() as uow:
        uow.session.add(
            Membership(
                id=new_id(),
                circle_id=circle.id,
                user_id=person.id,
                status=Status.PENDING,
                role=Role.MEMBER,
                applied_at=uow.now,
                created_at=uow.now,
            )
        )


def _make_special(world: World, people: dict[str, Person]) -> None:
    with world.units.write() as uow:
        set_operator(uow, email=people["operator"].email, is_operator=True)
        suspend_user(uow, email=people["suspended"].email)
    people["deleted"].api.request("DELETE", "/me", json={}).ok()


def _tokens(owner: Person) -> dict[str, str]:
    """A read-only token of the owner's, who may do everything: and one that was revoked."""
    made = owner.api.post("/me/tokens", {"name": "脚本", "scopes": ["read"]}).ok(201)
    revoked = owner.api.post("/me/tokens", {"name": "旧脚本", "scopes": ["read", "write"]}).ok(201)
    owner.api.delete(f"/me/tokens/{revoked['id']}").ok()
    return {"token_read": made["token"], "token_revoked": revoked["token"]}
