"""The checkout's page: read on a phone, paid or declined, safe from other sites."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from circle.kernel.clock import ManualClock
from tests.client import World


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A browser that keeps cookies and knows no token."""
    return app.test_client()


def path_of(checkout: Any) -> str:
    return str(checkout["url"]).removeprefix("http://circle.test")


def press(browser: FlaskClient, path: str, button: str) -> str:
    """Open the page, press a button, follow to the result; return the page."""
    shown = browser.get(path, headers={"Accept-Language": "en"})
    proof = re.search(r'name="csrf" value="(\w+)"', shown.text)
    assert proof is not None, shown.text
    done = browser.post(path, data={"csrf": proof[1], "decision": button}, headers={"Accept-Language": "en"})
    assert (done.status_code, done.headers["Location"]) == (303, path)
    return browser.get(path, headers={"Accept-Language": "en"}).text


def test_the_page_says_what_is_paid_in_both_languages(world: World, browser: FlaskClient) -> None:
    circle = world.circle(name="写作圈 <b>")
    checkout = world.checkout(world.person(), circle, circle.tier(2))
    path = path_of(checkout)

    english = browser.get(path, headers={"Accept-Language": "en"})
    chinese = browser.get(path, headers={"Accept-Language": "zh-CN"})

    for word in (
        "写作圈 &lt;b&gt;",
        "学员",
        "CNY 99.00",
        "2026-03-01",
        "2026-04-01",
        "Pay",
        "Decline",
        "no real money",
    ):
        assert word in english.text
    assert "付款" in chinese.text
    assert 'name="viewport"' in english.text
    assert "default-src 'none'" in english.headers["Content-Security-Policy"]
    assert english.headers["Referrer-Policy"] == "no-referrer"


def test_a_person_pays_on_the_page(world: World, browser: FlaskClient) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    page = press(browser, path_of(checkout), "pay")

    assert "Paid." in page
    assert 'value="pay"' not in page
    assert world.membership(person, circle)["status"] == "active"


def test_a_person_declines_and_thinks_again(world: World, browser: FlaskClient) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    assert "did not go through" in press(browser, path_of(checkout), "decline")
    assert world.membership(person, circle)["status"] == "pending"
    assert "Paid." in press(browser, path_of(checkout), "pay")

    attempts = world.invoice(person, checkout["invoice_id"])["attempts"]
    assert [(one["status"], one["failure_code"]) for one in attempts] == [
        ("failed", "declined_by_payer"),
        ("succeeded", None),
    ]


@pytest.mark.parametrize(("button", "status"), [("pay", "succeeded"), ("decline", "failed")])
def test_a_payment_that_has_to_be_confirmed_is_confirmed_here(
    world: World, browser: FlaskClient, button: str, status: str
) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "needs_auth")
    assert "did not go through" not in browser.get(path_of(checkout), headers={"Accept-Language": "en"}).text

    press(browser, path_of(checkout), button)

    assert person.api.get(f"/checkouts/{checkout['id']}").ok()["payment"]["status"] == status


def test_pressing_twice_pays_once(world: World, browser: FlaskClient, sql: Any) -> None:
    circle = world.circle()
    checkout = world.checkout(world.person(), circle)
    path = path_of(checkout)
    proof = re.search(r'name="csrf" value="(\w+)"', browser.get(path).text)
    assert proof is not None

    for _ in range(2):
        assert browser.post(path, data={"csrf": proof[1], "decision": "pay"}).status_code == 303

    assert len(sql("SELECT 1 FROM sandbox_charges")) == 1


def test_an_expired_checkout_shows_as_such(world: World, browser: FlaskClient, clock: ManualClock) -> None:
    circle = world.circle()
    checkout = world.checkout(world.person(), circle)
    path = path_of(checkout)
    proof = re.search(r'name="csrf" value="(\w+)"', browser.get(path).text)
    assert proof is not None

    clock.advance(timedelta(minutes=31))
    late = browser.post(path, data={"csrf": proof[1], "decision": "pay"}, headers={"Accept-Language": "en"})

    assert late.status_code == 409
    assert "has expired" in late.text
    assert 'value="pay"' not in browser.get(path).text


def test_a_form_from_elsewhere_is_refused(world: World, browser: FlaskClient, app: Flask, sql: Any) -> None:
    circle = world.circle()
    path = path_of(world.checkout(world.person(), circle))
    proof = re.search(r'name="csrf" value="(\w+)"', browser.get(path).text)
    assert proof is not None

    stranger = app.test_client()
    for data in ({}, {"csrf": ""}, {"csrf": "é"}, {"csrf": proof[1]}):
        assert stranger.post(path, data={**data, "decision": "pay"}).status_code == 403
    assert browser.post(path, data={"csrf": "0" * 64, "decision": "pay"}).status_code == 403

    assert sql("SELECT 1 FROM sandbox_charges") == []


def test_a_page_outlives_a_change_of_the_secret_key(
    world: World, app: Flask, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, running = path_of(world.checkout(world.person(), world.circle())), app.extensions["circle"]
    before = running.settings.secret_key

    for old, status in ((before, 200), ("", 404)):
        changed = replace(running.settings, secret_key="n" * 40, secret_key_before=old)
        monkeypatch.setitem(app.extensions, "circle", replace(running, settings=changed))
        assert browser.get(path).status_code == status


def test_an_address_can_not_be_guessed(world: World, browser: FlaskClient) -> None:
    circle = world.circle()
    checkout = world.checkout(world.person(), circle)
    path = path_of(checkout)

    other = "A" if path[-5] != "A" else "B"
    for guess in (path[:-5] + other + path[-4:], f"/checkout/{checkout['id']}", "/checkout/x"):
        assert browser.get(guess).status_code == 404
        assert browser.post(guess).status_code == 404
