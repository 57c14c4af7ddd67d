"""The dev mailbox page."""

from dataclasses import replace

from flask import Flask

from circle.app import create_app
from circle.config import Settings
from tests.client import Api, World


def test_the_page_shows_what_was_sent_in_both_languages(app: Flask, api: Api, world: World) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)
    api.post("/test/drain").ok(200)
    client = app.test_client()

    english = client.get("/dev/mailbox", headers={"Accept-Language": "en"})
    chinese = client.get("/dev/mailbox", headers={"Accept-Language": "zh-CN"})
    elsewhere = client.get("/dev/mailbox?to=nobody@example.org")

    assert "Dev mailbox" in english.text
    assert "开发邮箱" in chinese.text
    assert person.email in english.text
    assert person.email not in elsewhere.text
    assert "default-src 'none'" in english.headers["Content-Security-Policy"]


def test_what_people_write_is_shown_and_not_run(app: Flask) -> None:
    answer = app.test_client().get("/dev/mailbox?to=<script>alert(1)</script>")

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_there_is_no_mailbox_where_mail_is_sent(settings: Settings) -> None:
    app = create_app(replace(settings, test_mode=False, mail_url="smtp://mail", sms_url=""))

    assert app.test_client().get("/dev/mailbox").status_code == 404


def test_outside_test_mode_the_mailbox_is_for_this_machine_alone(settings: Settings) -> None:
    app = create_app(replace(settings, test_mode=False))

    answer = app.test_client().get("/dev/mailbox", environ_overrides={"REMOTE_ADDR": "203.0.113.9"})

    assert answer.status_code == 404
