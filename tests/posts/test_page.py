"""The page of a post reads in SQL as the policy does in Python, whatever somebody is in the circle."""

from itertools import product
from typing import Any

from circle.circles.models import AfterExpiry
from circle.kernel.uow import Units
from circle.memberships.models import Role, Status
from circle.posts import page_queries
from circle.posts.page_queries import gated_card, page_gate
from tests.client import World
from tests.statements import counted

ROLES = (Role.PARTNER, Role.ADMIN, Role.GUEST, Role.MEMBER)


def test_sql_and_policy_read_alike(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle)
    person = world.member(circle)
    mine = {"user": person.id, "circle": circle.id}
    asks = product(ROLES, Status, AfterExpiry, (None, 7), (True, False), (True, False))

    for role, status, after_expiry, lookback, paid, ended in asks:
        sql(
            "UPDATE memberships SET role = :role, status = :status,"
            " ended_at = CASE WHEN :ended THEN now() END WHERE user_id = :user AND circle_id = :circle",
            role=role,
            status=status,
            ended=ended,
            **mine,
        )
        sql(
            "UPDATE grants SET revoked_at = CASE WHEN NOT :paid THEN now() END WHERE user_id = :user", paid=paid, **mine
        )
        sql(
            "UPDATE circles SET after_expiry = :after, lookback_days = :days WHERE id = :circle",
            after=after_expiry,
            days=lookback,
            **mine,
        )
        with units.read() as uow:
            caller = page_gate(uow, person.token, {"post_id": post.id})
            assert caller is not None
            card = gated_card(caller, post.id)
        assert card is not None, (role, status, after_expiry, lookback, paid, ended)


def test_where_they_differ_the_post_is_read_again(world: World, monkeypatch: Any) -> None:
    circle = world.circle()
    post = world.post(circle)
    reader = world.member(circle).api
    expected = reader.get(post.path).ok()
    real = page_queries.policy.reading

    monkeypatch.setattr(page_queries.policy, "reading", lambda standing: {**real(standing), "reader_rank": 99})
    with counted() as statements:
        answer = reader.get(post.path).ok()

    assert answer == expected
    assert len(statements) == 2
