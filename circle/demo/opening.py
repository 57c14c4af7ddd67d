"""The circle, its tiers and prices, and those who run it."""

from typing import Any
from uuid import UUID

from circle.accounts.services.people import new_user
from circle.billing.services.joining import join
from circle.demo.stage import Stage, Tiers
from circle.kernel.caller import Caller
from circle.kernel.clock import ManualClock
from circle.kernel.uow import UnitOfWork, Units
from circle.memberships.models import Role
from circle.memberships.services.circles import edit_circle, open_circle
from circle.memberships.services.invitations import create_invitation
from circle.memberships.services.members import edit_member
from circle.memberships.services.offers import add_price, add_tier

NAME = "示例写作圈"
QUESTIONNAIRE = ["你在写什么？", "希望在这里得到什么？"]
TRIAL_DAYS = 7
QUESTION_PRICE = 1900
# The mentors' time is what is scarce.
MENTOR_SEATS = 120


def new_person(uow: UnitOfWork, name: str, *, password: str | None = None) -> Caller:
    """Make an account; ways to log in come last, see `filling`."""
    return Caller(user_id=new_user(uow, name, password=password).id, display_name=name)


def open_example(units: Units, clock: ManualClock, *, password: str) -> Stage:
    """Open the circle with three tiers."""
    with units.write() as uow:
        owner = new_person(uow, "示例星主", password=password)
        circle = open_circle(
            uow,
            owner,
            name=NAME,
            description="每天写一点，一起变好。这里的人和内容都由程序生成。",
            rules="善意，具体，不转载。",
            anonymous_questions=True,
        )
        tiers = _add_tiers(uow, owner, circle.id)
    return Stage(units, clock, owner, circle.id, tiers)


def _add_tiers(uow: UnitOfWork, owner: Caller, circle_id: UUID) -> Tiers:
    reader = add_tier(uow, owner, circle_id, name="读者", rank=1, description="免费阅读公开给读者的内容")
    member = add_tier(uow, owner, circle_id, name="学员", rank=2, description="全部文章和讨论")
    mentor = add_tier(uow, owner, circle_id, name="导师班", rank=3, description="一对一点评", seats=MENTOR_SEATS)
    uow.session.flush()
    tiers = Tiers(reader.id, member.id, mentor.id)
    offers: tuple[tuple[str, UUID, int, str, dict[str, Any]], ...] = (
        ("reader", reader.id, 0, "lifetime", {}),
        ("trial", member.id, 2900, "month", {"trial_days": TRIAL_DAYS}),
        ("member month", member.id, 2900, "month", {}),
        ("member year", member.id, 29900, "year", {"list_amount": 34800}),
        ("mentor month", mentor.id, 9900, "month", {}),
        ("mentor year", mentor.id, 99900, "year", {"list_amount": 118800}),
    )
    for name, tier_id, amount, interval, more in offers:
        price = add_price(uow, owner, tier_id, amount=amount, currency="CNY", interval=interval, **more)
        tiers.prices[name] = price.id
    return tiers


def invite_guest(stage: Stage) -> None:
    """Bring in an expert by an invitation that gives the role."""
    with stage.units.write() as uow:
        invitation = create_invitation(
            uow,
            stage.owner,
            stage.circle_id,
            role=Role.GUEST,
            tier_id=None,
            comp_days=None,
            note="嘉宾",
            max_uses=1,
            expires_at=None,
        )
        code = invitation.code
    with stage.units.write() as uow:
        stage.guest = new_person(uow, "示例嘉宾")
        price_id = stage.tiers.prices["reader"]
        join(uow, stage.guest, stage.circle_id, price_id=price_id, collection="manual", invitation=code)


def appoint_partner(stage: Stage) -> None:
    stage.partner = _appoint(stage, "示例合伙人", Role.PARTNER)


def appoint_admin(stage: Stage) -> None:
    stage.admin = _appoint(stage, "示例管理员", Role.ADMIN)


def _appoint(stage: Stage, name: str, role: Role) -> Caller:
    """Let somebody join as everybody does, and give them a role."""
    with stage.units.write() as uow:
        person = new_person(uow, name)
        join(uow, person, stage.circle_id, price_id=stage.tiers.prices["reader"], collection="manual")
        edit_member(uow, stage.owner, stage.circle_id, person.user_id, version=None, role=role)
    return person


def price_questions(stage: Stage) -> None:
    """From now on a question costs something."""
    with stage.units.write() as uow:
        edit_circle(uow, stage.owner, stage.circle_id, version=None, question_price=QUESTION_PRICE)


def ask_newcomers(stage: Stage) -> None:
    """From now on whoever wants in answers questions first."""
    with stage.units.write() as uow:
        edit_circle(
            uow, stage.owner, stage.circle_id, version=None, join_policy="approval", questionnaire=QUESTIONNAIRE
        )
