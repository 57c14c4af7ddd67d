"""Papers: invoices as PDF for members, a month's statement as CSV for creators."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pypdfium2
import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.client import Reply, World


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return text


def test_an_invoice_is_a_file_with_text_and_its_refunds(world: World, clock: ManualClock) -> None:
    circle = world.circle(name="晨读与写作😀")
    member = world.paying_member(circle)
    invoice = world.invoice(member, member.extra["invoice_id"])
    clock.advance(timedelta(days=1))
    refund = world.refund(circle.owner, invoice["id"], amount=900).ok(201)

    reply = member.api.get(f"/invoices/{invoice['id']}/pdf")

    assert reply.headers["Content-Type"] == "application/pdf"
    assert f'filename="{invoice["number"]}.pdf"' in reply.headers["Content-Disposition"]
    assert reply.headers["Cache-Control"] == "private, no-store"
    said = text_of(reply.bytes)
    for words in (
        "账单",
        "晨读与写作",
        "付费成员",
        "已部分退款",
        "CNY 19.00",
        "CNY -9.00",
        "CNY 10.00",
        "2026-03-01 12:00",
    ):
        assert words in said, "text that can be selected"
    for number in (invoice["number"], invoice["attempts"][0]["number"], refund["number"]):
        assert number in said.replace("\r\n", "").replace("\n", "")
    assert b"/FontFile" in reply.bytes, "the font is embedded"
    assert len(reply.bytes) < 60_000, "and cut down to its letters"


def test_an_invoice_tells_of_its_refunds(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    refund = world.refund(circle.owner, member.extra["invoice_id"], amount=900).ok(201)

    (shown,) = world.invoice(member, member.extra["invoice_id"])["refunds"]

    assert shown == refund


def test_an_open_invoice_can_be_printed(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    assert "待支付" in text_of(person.api.get(f"/invoices/{checkout['invoice_id']}/pdf").bytes)


def test_anothers_invoice_does_not_exist(world: World) -> None:
    circle = world.circle()
    member, other = world.paying_member(circle), world.paying_member(circle)
    path = f"/invoices/{member.extra['invoice_id']}/pdf"

    assert other.api.get(path).status == 404
    assert other.api.as_(None).get(path).status == 401
    assert circle.owner.api.get(path).status == 200


def statement(circle: BuiltCircle, month: str = "2026-03") -> Reply:
    reply: Reply = circle.owner.api.get(f"{circle.path}/statements", query_string={"month": month})
    return reply


def lines(reply: Reply) -> list[list[str]]:
    return list(csv.reader(StringIO(reply.bytes.decode("utf-8-sig"))))


def test_a_statement_has_every_movement_and_their_sum(world: World, clock: ManualClock, five_percent: None) -> None:
    circle = world.circle()
    (member, other) = world.earn(circle, clock, members=2)
    world.refund(circle.owner, other.extra["invoice_id"]).ok(201)
    payout = world.withdraw(circle, 1000).ok(201)
    invoice = world.invoice(member, member.extra["invoice_id"])

    reply = statement(circle)

    assert reply.headers["Content-Type"].startswith("text/csv")
    head, *movements, total = lines(reply)
    assert head[1:5] == ["类型 Kind", "单号 Number", "成员 Member", "币种 Currency"]
    assert [line[1].split()[0] for line in movements] == ["收款", "收款", "结算", "结算", "退款", "申请提现"]
    assert [
        "2026-03-01 12:00:00",
        "收款 payment",
        invoice["number"],
        "付费成员",
        "CNY",
        "18.05",
        "0.00",
        "0.00",
        "0.95",
    ] in (movements)
    assert movements[-1][2] == payout["number"]
    assert total == ["合计 Total", "", "", "", "CNY", "0.00", "8.05", "10.00", "0.95"]


def test_a_statement_is_of_one_month_in_the_circles_zone(world: World, clock: ManualClock) -> None:
    circle = world.circle(timezone="Asia/Shanghai")
    clock.advance(timedelta(days=30, hours=12))  # 1 April in Shanghai, 31 March in London
    world.paying_member(circle)

    assert len(lines(statement(circle, "2026-03"))) == 1
    assert len(lines(statement(circle, "2026-04"))) == 3


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"])
def test_a_statement_runs_nothing_in_a_spreadsheet(world: World, name: str) -> None:
    circle = world.circle()
    world.paying_member(circle, person=world.person(name))

    (_, payment, _) = lines(statement(circle))

    assert payment[3] == f"'{name}"


def test_a_long_statement_is_read_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circle.billing.statements._AT_ONCE", 2)
    circle = world.circle()
    members = [world.paying_member(circle) for _ in range(5)]

    (_, *payments, _) = lines(statement(circle))

    assert len({payment[2] for payment in payments}) == len(members)


@pytest.mark.parametrize("month", ["2026-13", "2026-3", "2026-00", "0000-01", "03-2026", "2026-0a", ""])
def test_a_month_that_is_none_is_refused(world: World, month: str) -> None:
    assert statement(world.circle(), month).status == 422


def test_members_get_no_statement(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    path: Any = f"{circle.path}/statements?month=2026-03"

    assert member.api.get(path).code == "missing_permission"
    assert world.person().api.get(path).status in {403, 404}
