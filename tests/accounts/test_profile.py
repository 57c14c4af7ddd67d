"""Editing one's profile: the picture is one's own upload, and stays."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from tests.client import World


def test_a_picture_must_be_an_own_upload_for_that(world: World) -> None:
    person, other = world.person(), world.person()
    for wrong in (str(new_id()), str(world.media(other, purpose="avatar")), str(world.media(person, purpose="post"))):
        refused = person.api.patch("/me", {"avatar_media_id": wrong})
        assert (refused.status, refused.fields) == (422, {"avatar_media_id.0": "unknown_media"})
    assert person.api.get("/me").json["avatar_url"] is None


def test_a_chosen_picture_is_kept_and_seen_by_others(world: World, clock: ManualClock) -> None:
    person, other = world.person(), world.person()
    picture = world.media(person, purpose="avatar")
    person.api.patch("/me", {"avatar_media_id": str(picture)}).ok()
    world.process_media()

    clock.advance(timedelta(days=2))
    world.sweep_media()

    assert person.api.get("/me").json["avatar_url"] == f"/v1/media/{picture}"
    assert other.api.get(f"/media/{picture}").status == 302
