"""The browser's console: a cookie that scripts can't read, and forms that other sites can't send."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from circle.web.login import SESSION_COOKIE
from tests.client import World

PASSWORD = "a good password"


def proof(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', browser.get("/account").text)
    assert found
    return found.group(1)


def log_in(browser: FlaskClient, email: str, password: str = PASSWORD) -> Any:
    form = {"csrf": proof(browser), "address": email, "password": password}
    return browser.post("/account/login", data=form, headers={"Accept-Language": "en"})


def test_a_browser_logs_in_and_out(browser: FlaskClient, world: World) -> None:
    person = world.person("林晓", password=PASSWORD)

    answer = log_in(browser, person.email)

    cookie = next(header for header in answer.headers.getlist("Set-Cookie") if header.startswith(SESSION_COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "林晓" in browser.get("/account").text
    browser.post("/account/logout", data={"csrf": proof(browser)})
    assert "林晓" not in browser.get("/account").text


def test_a_wrong_password_is_told_and_logs_nobody_in(browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)

    answer = log_in(browser, person.email, "wrong")

    assert answer.status_code == 401
    assert "The account or the password is wrong." in answer.text
    assert browser.get_cookie(SESSION_COOKIE) is None


def test_a_browser_ends_another_device(browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    log_in(browser, person.email)
    phone = person.api.get("/me/sessions").json["items"]
    other = next(session["id"] for session in phone if session["current"])

    browser.post(f"/account/sessions/{other}/end", data={"csrf": proof(browser)})

    assert person.api.get("/me").status == 401


@pytest.mark.parametrize("path", ["/account/login", "/account/logout"])
def test_another_sites_form_is_refused(browser: FlaskClient, world: World, path: str) -> None:
    person = world.person(password=PASSWORD)
    log_in(browser, person.email)

    for form in ({}, {"csrf": "0" * 64}, {"csrf": "不"}):
        assert browser.post(path, data=form).status_code == 403
    assert person.email in browser.get("/account").text


def test_the_cookie_opens_no_api(browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    log_in(browser, person.email)

    assert browser.get("/v1/me").status_code == 401
