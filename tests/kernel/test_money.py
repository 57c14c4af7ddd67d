"""Money: exact, in one currency, never a float."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle.kernel.errors import Invalid
from circle.kernel.money import MAX_AMOUNT, Money, require_amount, share

amounts = st.integers(-MAX_AMOUNT, MAX_AMOUNT)


@given(amounts, amounts)
def test_sums_come_back(a: int, b: int) -> None:
    assert Money(a, "CNY") + Money(b, "CNY") - Money(b, "CNY") == Money(a, "CNY")


def test_currencies_never_mix() -> None:
    with pytest.raises(ValueError, match="don't add up"):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(ValueError, match="don't add up"):
        Money(1, "CNY") - Money(1, "USD")


def test_a_currency_is_one_that_circles_may_use() -> None:
    with pytest.raises(ValueError, match="unknown currency 'XAU'"):
        Money(1, "XAU")


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
def test_an_amount_is_a_whole_number(amount: Any) -> None:
    with pytest.raises(TypeError):
        Money(amount, "CNY")


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        (Money(19900, "CNY"), "CNY 199.00"),
        (Money(5, "CNY"), "CNY 0.05"),
        (Money(0, "CNY"), "CNY 0.00"),
        (Money(-5, "CNY"), "CNY -0.05"),
        (Money(-1905, "USD"), "USD -19.05"),
        (Money(1200, "JPY"), "JPY 1200"),
    ],
)
def test_money_is_shown_in_its_currencys_digits(money: Money, shown: str) -> None:
    assert str(money) == shown


@given(amounts, st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_share_is_the_nearest_whole_unit(amount: int, numerator: int, denominator: int) -> None:
    exact = Fraction(amount * numerator, denominator)

    assert abs(share(amount, numerator, denominator) - exact) <= Fraction(1, 2)


@given(amounts, st.integers(0, 10_000))
def test_a_share_and_its_mirror_are_alike(amount: int, basis_points: int) -> None:
    assert share(-amount, basis_points, 10_000) == -share(amount, basis_points, 10_000)


@pytest.mark.parametrize(("amount", "half"), [(1, 1), (3, 2), (-1, -1), (-3, -2), (0, 0)])
def test_a_half_goes_away_from_zero(amount: int, half: int) -> None:
    assert share(amount, 1, 2) == half


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_share_is_of_something(denominator: int) -> None:
    with pytest.raises(ValueError, match="the denominator must be positive"):
        share(100, 1, denominator)


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1, 2**63])
def test_what_is_asked_of_people_is_bounded(amount: int) -> None:
    with pytest.raises(Invalid) as refused:
        require_amount(amount)

    assert [(error.field, error.code) for error in refused.value.errors] == [("amount", "out_of_range")]


@pytest.mark.parametrize(("amount", "minimum"), [(1, 1), (MAX_AMOUNT, 1), (0, 0), (100, 100)])
def test_the_bounds_may_be_asked(amount: int, minimum: int) -> None:
    assert require_amount(amount, minimum=minimum) == amount


def test_a_minimum_and_a_name_may_be_given() -> None:
    with pytest.raises(Invalid) as refused:
        require_amount(99, field="price", minimum=100)

    assert [(error.field, error.code) for error in refused.value.errors] == [("price", "out_of_range")]
