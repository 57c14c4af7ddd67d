"""The canary in what people take along: exports and feeds hold nothing that is not meant for who fetches them."""

from io import BytesIO
from zipfile import ZipFile

import httpx
import pytest

from circle.jobs import load_job
from tests.access.crawl import leaky_posts
from tests.access.scene import Scene
from tests.access.test_canary import PAID, canaries

# Who may take something along, and not everything.
READERS = ("expired", "refunded", "free", "tier1", "muted", "guest")


def taken_by(scene: Scene, role: str, form: str) -> bytes:
    """All that is in a role's export, and its feeds, as one text."""
    circle, columns = scene.cast.open, ("members_column", "tier2_column")
    with scene.undone():
        asked = scene.api(role).post(f"{circle.path}/exports", {"scope": "mine", "format": form}).ok(202)
        load_job("exports.build").run(scene.app.extensions["circle"].units)
        told = scene.api(role).get(f"/exports/{asked['id']}").ok()
        with ZipFile(BytesIO(httpx.get(told["download"]["url"]).raise_for_status().content)) as archive:
            found = [archive.read(name) + name.encode() for name in archive.namelist()]
        token = scene.api(role).post("/me/tokens", {"name": "阅读器", "scopes": ["feed"]}).ok(201)["token"]
        addresses = [f"circles/{circle.id}", *(f"columns/{scene.things(one)['column_id']}" for one in columns)]
        for address in addresses:
            reply = scene.api("anonymous").request("GET", f"http://circle.test/feeds/{token}/{address}.atom")
            found.append(reply.bytes)
    return b"\n".join(found)


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("form", ["markdown", "epub"])
def test_nobody_takes_along_what_they_may_not_read(scene: Scene, role: str, form: str) -> None:
    taken = taken_by(scene, role, form)

    assert [secret.what for secret in canaries(scene, role) if secret.marker.encode() in taken] == []


def test_who_paid_takes_it_along(scene: Scene) -> None:
    taken = taken_by(scene, "tier2", "markdown")

    paid = {secret.what for secret in scene.secrets.kept if secret.row == PAID and secret.marker.encode() in taken}
    assert paid >= {"the edited body of the post @tier2", "the name of an attachment of the post @tier2"}


def test_a_leaky_filter_is_found_in_exports(scene: Scene) -> None:
    with leaky_posts():
        taken = taken_by(scene, "free", "markdown")

    assert [secret.what for secret in canaries(scene, "free") if secret.marker.encode() in taken] != []
