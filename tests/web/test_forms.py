"""Pages with a cookie: forms that only they can send, and no way through them to another site."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from circle.web.login import SESSION_COOKIE
from tests.accounts.test_console import PASSWORD, log_in, proof
from tests.client import World

ELSEWHERE = "evil.example"


def page_rules(app: Flask, method: str) -> Iterator[Any]:
    """The routes outside the API, which takes no cookies."""
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not rule.rule.startswith("/v1/"):
            yield rule


def address_of(rule: Any) -> str:
    filled = dict.fromkeys(rule.arguments, "01890a5d-ac96-774b-bcce-b302099a8057")
    return str(rule.build(filled, append_unknown=False)[1])


def test_every_form_of_ours_needs_its_proof(app: Flask, browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    log_in(browser, person.email)
    posts = {
        rule.endpoint: browser.post(address_of(rule), data={"decision": "pay"}) for rule in page_rules(app, "POST")
    }

    assert posts.keys() >= {"account.log_in", "account.log_out", "account.end_session", "checkout.decide"}
    # A checkout that is none is not found, whoever asks.
    assert {name: one.status_code for name, one in posts.items() if name != "checkout.decide"} == dict.fromkeys(
        posts.keys() - {"checkout.decide"}, 403
    )
    assert posts["checkout.decide"].status_code == 404
    assert person.email in browser.get("/account").text


def test_a_proof_is_of_one_form_in_one_browser(app: Flask, browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    log_in(browser, person.email)
    another = app.test_client()
    another.get("/account")

    refused = another.post("/account/logout", data={"csrf": proof(browser)})

    assert refused.status_code == 403
    assert person.email in browser.get("/account").text


def test_a_proof_of_one_form_opens_no_other(browser: FlaskClient, world: World, sql: Any) -> None:
    """Whoever has an address of a checkout sees its proof; the form of the account needs its own."""
    person, checkout = world.person(password=PASSWORD), checkout_of(world)
    log_in(browser, person.email)
    other = browser.get(checkout).text.partition('name="csrf" value="')[2].partition('"')[0]

    refused = [
        browser.post("/account/logout", data={"csrf": other}),
        browser.post(checkout, data={"csrf": proof(browser), "decision": "pay"}),
    ]

    assert other
    assert [one.status_code for one in refused] == [403, 403]
    assert person.email in browser.get("/account").text
    assert sql("SELECT 1 FROM sandbox_charges") == []


def checkout_of(world: World) -> str:
    """The path of a checkout's page."""
    return str(world.checkout(world.person(), world.circle())["url"]).removeprefix("http://circle.test")


def test_a_proof_outlives_a_change_of_the_secret_key(
    app: Flask, browser: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, running = world.person(password=PASSWORD), app.extensions["circle"]
    form = {"csrf": proof(browser), "address": person.email, "password": PASSWORD}
    changed = replace(running.settings, secret_key="n" * 40, secret_key_before=running.settings.secret_key)
    monkeypatch.setitem(app.extensions, "circle", replace(running, settings=changed))

    assert browser.post("/account/login", data=form).status_code == 303


def test_no_page_changes_anything_when_it_is_read(app: Flask) -> None:
    """The methods that browsers send without being asked: none of them reaches a form."""
    forms = {rule.endpoint for rule in page_rules(app, "POST")}

    assert not forms & {rule.endpoint for rule in page_rules(app, "GET")}


def test_cookies_are_ours_alone(browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    answers = [browser.get("/account"), log_in(browser, person.email)]

    cookies = [cookie for answer in answers for cookie in answer.headers.getlist("Set-Cookie")]
    told = {cookie.partition("=")[0]: set(cookie.split("; ")[1:]) for cookie in cookies}
    assert told.keys() == {SESSION_COOKIE, "circle_form"}
    assert told["circle_form"] == {"HttpOnly", "Path=/", "SameSite=Strict"}
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= told[SESSION_COOKIE]
    assert not [cookie for cookie in cookies if "Domain" in cookie]


def test_who_is_looking_is_told_by_the_cookie_alone(app: Flask, world: World) -> None:
    person = world.person(password=PASSWORD)
    names = dict.fromkeys(("token", "session", SESSION_COOKIE), person.token)
    headers = {"Authorization": f"Bearer {person.token}"}

    page = app.test_client().get("/account", query_string=names, headers=headers)

    assert person.email not in page.text


def test_with_tls_cookies_are_of_this_host_and_browsers_are_told_to_stay(
    app: Flask, browser: FlaskClient, world: World
) -> None:
    person, system = world.person(password=PASSWORD), app.extensions["circle"]
    app.extensions["circle"] = replace(system, settings=replace(system.settings, site_url="https://circle.test"))
    try:
        shown = browser.get("/account", base_url="https://circle.test")
        csrf = shown.text.partition('name="csrf" value="')[2].partition('"')[0]
        form = {"csrf": csrf, "address": person.email, "password": PASSWORD}
        entered = browser.post("/account/login", data=form, base_url="https://circle.test")
        inside = browser.get("/account", base_url="https://circle.test")
        left = browser.post("/account/logout", data={"csrf": csrf}, base_url="https://circle.test")
    finally:
        app.extensions["circle"] = system

    cookies = [cookie for answer in (shown, entered) for cookie in answer.headers.getlist("Set-Cookie")]
    assert cookies
    assert all(cookie.startswith("__Host-circle_") and "Secure" in cookie and "Path=/" in cookie for cookie in cookies)
    assert person.email in inside.text
    assert "max-age=31536000" in inside.headers["Strict-Transport-Security"]
    assert "storage" in left.headers["Clear-Site-Data"]


@pytest.mark.parametrize(
    "path",
    [
        f"//{ELSEWHERE}/account",
        f"/\\{ELSEWHERE}",
        f"/account//{ELSEWHERE}",
        "/account/",
        "//account",
        f"/account?next=https://{ELSEWHERE}",
        f"/docs?url=https://{ELSEWHERE}/openapi.json",
        f"/%2f%2f{ELSEWHERE}",
        f"/account/login?next=//{ELSEWHERE}",
    ],
)
@pytest.mark.parametrize("host", ["circle.test", ELSEWHERE])
def test_nobody_is_sent_to_another_site(browser: FlaskClient, path: str, host: str) -> None:
    # As a server hands it on: the client of the tests would read `//name` as a host.
    asked, _, query = path.partition("?")
    sent = {"PATH_INFO": asked, "QUERY_STRING": query}
    answer = browser.get("/", headers={"Host": host, "X-Forwarded-Host": ELSEWHERE}, environ_overrides=sent)

    assert ELSEWHERE not in answer.headers.get("Location", "")


def test_after_logging_in_one_is_on_the_same_site(browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    form = {"csrf": proof(browser), "address": person.email, "password": PASSWORD, "next": f"https://{ELSEWHERE}"}

    answer = browser.post(f"/account/login?next=//{ELSEWHERE}", data=form)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")


def test_no_form_leads_elsewhere(browser: FlaskClient, world: World) -> None:
    person, checkout = world.person(password=PASSWORD), checkout_of(world)
    log_in(browser, person.email)
    [session] = person.api.get("/me/sessions").ok()["items"][1:]
    shown = browser.get(checkout).text.partition('name="csrf" value="')[2].partition('"')[0]
    forms = {
        checkout: {"csrf": shown, "decision": "decline"},
        f"/account/sessions/{session['id']}/end": {"csrf": proof(browser)},
        "/account/logout": {"csrf": proof(browser)},
    }

    led = {}
    for path, form in forms.items():
        names = dict.fromkeys(("next", "url", "return_to", "return_url", "redirect"), f"https://{ELSEWHERE}")
        headers = {"Referer": f"https://{ELSEWHERE}/", "X-Forwarded-Host": ELSEWHERE}
        answer = browser.post(path, query_string=names, data={**form, **names}, headers=headers)
        led[path] = (answer.status_code, answer.headers["Location"])

    assert led == {path: (303, path if path == checkout else "/account") for path in forms}


def test_the_api_takes_no_cookie_and_lets_no_other_site_read_it(browser: FlaskClient, world: World) -> None:
    person = world.person(password=PASSWORD)
    log_in(browser, person.email)
    asked = {"Origin": f"https://{ELSEWHERE}"}

    answers = [browser.get("/v1/me", headers=asked), browser.options("/v1/me", headers=asked)]

    assert answers[0].status_code == 401
    for answer in answers:
        assert not [name for name in answer.headers.keys() if name.startswith("Access-Control-")]  # noqa: SIM118 - Headers is no dict
