"""Pages for people."""

import re

import pytest
from flask import Flask

from circle.web.pages import all_problems


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/problems"])
def test_pages_take_nothing_from_elsewhere(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)

    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    closed = {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"}
    assert closed <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", answer.text)


def test_the_landing_page_names_the_installation_and_leads_on(app: Flask) -> None:
    page = app.test_client().get("/", headers={"Accept-Language": "en"}).text

    assert "http://circle.test" in page
    for link in ("/docs", "/v1/openapi.json", "/docs/problems", "/dev/mailbox"):
        assert f'href="{link}"' in page


def test_every_asset_of_a_page_is_served(app: Flask) -> None:
    client = app.test_client()

    for path in re.findall(r"(?:src|href)=\"(/assets/[^\"]+)\"", client.get("/docs").text):
        asset = client.get(path)
        assert asset.status_code == 200, path
        assert len(asset.data) > 100
        asset.close()


def test_no_other_file_is_served_as_an_asset(app: Flask) -> None:
    assert app.test_client().get("/assets/docs/index.css").status_code == 404
    assert app.test_client().get("/assets/docs/..%2f__init__.py").status_code == 404


def test_every_error_has_its_place_on_the_page_of_problems(app: Flask) -> None:
    page = app.test_client().get("/docs/problems").text

    for problem in all_problems():
        assert f'id="{problem["code"]}"' in page
    assert "unauthenticated" in page
    assert "请先登录。" in page


def test_a_problem_links_to_its_place(app: Flask) -> None:
    problem = app.test_client().get("/v1/me").get_json()

    assert problem["type"] == "/docs/problems#unauthenticated"
