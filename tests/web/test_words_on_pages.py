"""What people write stands on our pages as words, whoever wrote it."""

from typing import Any

from flask.testing import FlaskClient

from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.notifications.models import MailboxMessage
from tests.accounts.test_console import PASSWORD, log_in
from tests.client import World

WORDS = "\"'><img src=x onerror=1>"
SHOWN = "&#34;&#39;&gt;&lt;img src=x onerror=1&gt;"


def shown(browser: FlaskClient, path: str, **query: str) -> int:
    """How often the words stand on a page; never as an element."""
    answer = browser.get(path, query_string=query)

    assert answer.status_code == 200
    assert "<img" not in answer.text
    return answer.text.count(SHOWN)


def test_names_of_people_and_their_devices(world: World, browser: FlaskClient) -> None:
    person = world.person(WORDS, password=PASSWORD)
    device = {"email": person.email, "password": PASSWORD, "device_name": WORDS}
    person.api.post("/auth/login", device).ok()

    log_in(browser, person.email)

    assert shown(browser, "/account") == 2


def test_what_is_sold(world: World, browser: FlaskClient) -> None:
    circle = world.circle(name=WORDS, tiers=((WORDS, 1, 1900),))
    checkout = world.checkout(world.person(), circle, circle.tier(1))

    assert shown(browser, str(checkout["url"]).removeprefix("http://circle.test")) == 2


def test_what_a_certificate_says(world: World, browser: FlaskClient) -> None:
    camp = world.camp(world.circle(name=WORDS), title=WORDS, evergreen_days=1)
    person = world.camper(camp, WORDS)
    world.check_in(camp, person)
    code = person.api.get("/me/certificates").ok()["items"][0]["code"]
    camp.circle.owner.api.post(f"/certificates/{code}/revoke", {"reason": WORDS}).ok()

    assert shown(browser, f"/certificates/{code}") == 4


def test_what_lies_in_the_mailbox_and_what_is_looked_for_there(
    world: World, browser: FlaskClient, clock: ManualClock
) -> None:
    said: dict[str, Any] = dict.fromkeys(("to", "subject", "body"), WORDS)
    with world.units.write() as uow:
        row = MailboxMessage(id=new_id(), key="one", channel="email", created_at=clock.now(), **said)
        uow.session.add(row)

    assert shown(browser, "/dev/mailbox", to=WORDS) == 4
