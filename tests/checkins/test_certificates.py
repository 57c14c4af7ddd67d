"""Certificates: issued on completion, printed by a worker, public by their code, revocable."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx
import pypdfium2
import pytest
from PIL import Image

from circle.checkins.printing import Press
from circle.checkins.services import certificates
from circle.checkins.services.certificates import MAX_ATTEMPTS
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.uow import Units
from tests.builders.camps import BuiltCamp
from tests.builders.people import Person
from tests.client import World
from tests.media.faults import no_storage


@pytest.fixture
def camp(world: World) -> BuiltCamp:
    return world.camp(days=1, title="一日营 & Friends")


def completed(world: World, camp: BuiltCamp, name: str = "林晓😀") -> tuple[Person, Any]:
    person = world.camper(camp, name)
    world.check_in(camp, person)
    (certificate,) = person.api.get("/me/certificates").ok()["items"]
    return person, certificate


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    text: str = document[0].get_textpage().get_text_range()
    document.close()
    return text


def test_completing_a_camp_issues_a_certificate_that_everybody_can_verify(world: World, camp: BuiltCamp) -> None:
    person, certificate = completed(world, camp)
    anybody = person.api.as_(None)

    shown = anybody.get(f"/certificates/{certificate['code'].lower()}").ok()

    assert (shown["valid"], shown["holder"], shown["camp"], shown["days"]) == (True, "林晓😀", "一日营 & Friends", 1)
    assert shown["pdf_url"] is None, "not printed yet"
    assert anybody.get(f"/certificates/{certificate['code']}/pdf").code == "certificate_not_ready"
    assert [one["kind"] for one in world.notices(person)] == ["camp_completed"]
    assert anybody.get("/certificates/AAAAAAAAAAAAAA").status == 404
    page = anybody.request("GET", f"http://circle.test/certificates/{certificate['code']}")
    assert page.status == 200
    assert "林晓" in page.bytes.decode()
    assert "一日营 &amp; Friends" in page.bytes.decode()


def test_a_worker_prints_it_as_pdf_and_png(world: World, camp: BuiltCamp) -> None:
    person, certificate = completed(world, camp)

    assert world.run_job("checkins.render") == 1
    assert world.run_job("checkins.render") == 0, "a second time finds nothing"

    shown = person.api.get(f"/certificates/{certificate['code']}").ok()
    pdf = httpx.get(person.api.as_(None).get(shown["pdf_url"]).headers["Location"])
    png = httpx.get(person.api.as_(None).get(shown["png_url"]).headers["Location"])
    assert pdf.headers["content-type"] == "application/pdf"
    said = text_of(pdf.content)
    for words in ("林晓", "一日营 & Friends", "写作圈", "2026-03-01", certificate["code"]):
        assert words in said, "text that can be selected"
    assert b"/FontFile" in pdf.content, "the font is embedded"
    assert len(pdf.content) < 60_000, "and cut down to its letters"
    assert Image.open(BytesIO(png.content)).size == (1684, 1191)


def test_a_revoked_certificate_says_so_and_is_gone_from_the_storage(world: World, camp: BuiltCamp, sql: Any) -> None:
    person, certificate = completed(world, camp)
    world.run_job("checkins.render")
    path = f"/certificates/{certificate['code']}"
    link = person.api.get(f"{path}/pdf").headers["Location"]

    assert person.api.post(f"{path}/revoke", {"reason": "代打卡"}).code == "missing_permission"
    revoked = camp.teacher.api.post(f"{path}/revoke", {"reason": "代打卡"}).ok()

    assert (revoked["valid"], revoked["revoked_for"], revoked["pdf_url"]) == (False, "代打卡", None)
    assert person.api.get(f"{path}/pdf").code == "certificate_revoked"
    assert "代打卡" in person.api.request("GET", f"http://circle.test{path}").bytes.decode()
    assert world.run_job("checkins.render") == 1
    assert httpx.get(link).status_code == 404
    assert world.run_job("checkins.render") == 0
    assert "certificate_revoked" in {one["kind"] for one in world.notices(person)}
    assert sql("SELECT action FROM audit_log ORDER BY id DESC LIMIT 1")[0]["action"] == "certificate.revoke"


def test_a_camp_is_completed_once(world: World, camp: BuiltCamp, sql: Any) -> None:
    person, _ = completed(world, camp)

    world.check_in(camp, person, body="再改一改")

    assert sql("SELECT count(*) AS n FROM certificates")[0]["n"] == 1
    assert len(world.notices(person)) == 1


def test_a_storage_that_is_away_only_delays(world: World, camp: BuiltCamp, clock: ManualClock, units: Units) -> None:
    person, certificate = completed(world, camp)
    with no_storage(units):
        assert world.run_job("checkins.render") == 1
    assert world.run_job("checkins.render") == 0, "not due yet"

    clock.set(clock.now().replace(minute=5))

    assert world.run_job("checkins.render") == 1
    assert person.api.get(f"/certificates/{certificate['code']}").ok()["pdf_url"]


def test_a_poison_row_is_given_up_and_holds_nobody_up(
    world: World, camp: BuiltCamp, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bad = completed(world, camp, "毒")
    good, certificate = completed(world, camp, "好")
    draw = Press.pdf

    def choke(press: Press, what: Any) -> bytes:
        if what.holder == "毒":
            raise ValueError("poison")
        return draw(press, what)

    monkeypatch.setattr(Press, "pdf", choke)
    assert world.run_job("checkins.render") == 2
    assert good.api.get(f"/certificates/{certificate['code']}").ok()["pdf_url"]
    for _ in range(MAX_ATTEMPTS):
        sql("UPDATE certificates SET due_at = issued_at WHERE due_at IS NOT NULL")
        world.run_job("checkins.render")

    (row,) = sql("SELECT due_at, attempts, error FROM certificates WHERE code = :code", code=bad["code"])
    assert (row["due_at"], row["attempts"]) == (None, MAX_ATTEMPTS)
    assert "poison" in row["error"]


def test_nobody_finds_a_certificate_by_its_id(world: World, camp: BuiltCamp, sql: Any) -> None:
    person, _ = completed(world, camp)
    (row,) = sql("SELECT id FROM certificates")

    assert person.api.get(f"/certificates/{row['id']}").status == 404
    assert person.api.get(f"/certificates/{new_id()}").status == 404


def test_circles_take_turns_at_the_press(
    world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, sql: Any
) -> None:
    """The certificates of a large camp don't hold up those of another circle that come later."""
    monkeypatch.setattr(certificates, "BATCH", 2)
    large, small = world.camp(days=1), world.camp(days=1)
    for name in ("甲", "乙", "丙"):
        completed(world, large, name)
    clock.advance(timedelta(seconds=1))
    _person, last = completed(world, small, "丁")

    assert world.run_job("checkins.render") == 2

    printed = {row["code"] for row in sql("SELECT code FROM certificates WHERE rendered_at IS NOT NULL")}
    assert last["code"] in printed
    assert [world.run_job("checkins.render"), world.run_job("checkins.render")] == [2, 0]
