"""Attaching to what shows it, and who may fetch it then."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest

from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.media.models import Media, Purpose
from circle.media.policy import MediaGuards
from circle.media.queries import attachments, media_cards
from circle.media.schemas import MediaOut
from circle.media.services.attachments import Limits, attach, detach, detach_from
from tests.builders.media import PDF, send
from tests.builders.people import Person
from tests.client import World


def _attach(
    world: World, person: Person, media_ids: Sequence[UUID], to: UUID, purpose: Purpose = Purpose.POST, **more: Any
) -> list[UUID]:
    with world.units.write() as uow:
        return [one.id for one in attach(uow, Caller(person.id), media_ids, purpose=purpose, to=to, **more)]


def _refusal(world: World, person: Person, media_ids: Sequence[UUID], to: UUID, **more: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        _attach(world, person, media_ids, to, **more)
    return {error.field: error.code for error in refused.value.errors}


def _shown(world: World, parent: UUID) -> list[str]:
    with world.units.read() as uow:
        return [card["id"] for card in attachments(uow, [parent]).get(parent, [])]


def test_a_parent_shows_what_was_attached_in_its_order(world: World) -> None:
    person, post = world.person(), new_id()
    first, second = world.media(person), world.media(person)

    _attach(world, person, [second, first], post)

    assert _shown(world, post) == [str(second), str(first)]


def test_editing_keeps_adds_and_lets_go(world: World, sql: Any) -> None:
    person, post = world.person(), new_id()
    first, second, third = (world.media(person) for _ in range(3))
    _attach(world, person, [first, second], post)

    _attach(world, person, [third, first], post)

    assert _shown(world, post) == [str(third), str(first)]
    assert sql("SELECT expires_at FROM media WHERE id = :id", id=second)[0]["expires_at"] is not None
    _attach(world, person, [second], new_id())


def test_a_moderator_may_keep_what_others_attached(world: World) -> None:
    author, moderator, post = world.person(), world.person(), new_id()
    picture = world.media(author)
    _attach(world, author, [picture], post)

    assert _attach(world, moderator, [picture], post) == [picture]


def test_what_can_not_be_attached(world: World) -> None:
    person, stranger, post = world.person(), world.person(), new_id()
    elsewhere, other_purpose = world.media(person), world.media(person, purpose="comment")
    _attach(world, person, [elsewhere], new_id())
    pending = world.announce(person, b"x" * 10)["media_id"]
    rejected = world.media(person, b"\x89PNG\r\n\x1a\n" + b"\0" * 200)

    assert _refusal(
        world,
        person,
        [world.media(stranger), new_id(), other_purpose, elsewhere, UUID(pending), rejected, world.uploaded(person)],
        post,
    ) == {
        "attachments.0": "unknown_media",
        "attachments.1": "unknown_media",
        "attachments.2": "unknown_media",
        "attachments.3": "already_attached",
        "attachments.4": "not_uploaded",
        "attachments.5": "content_refused",
    }


def test_limits_count_images_and_files_apart(world: World) -> None:
    person, post = world.person(), new_id()
    pictures = [world.media(person), world.media(person)]
    pdf = world.media(person, PDF, filename="a.pdf", content_type="application/pdf")

    assert _refusal(world, person, [*pictures, pdf], post, limits=Limits(images=1, files=1), field="images") == {
        "images": "too_many_images"
    }
    assert _refusal(world, person, [*pictures, pdf], post, limits=Limits(images=2, files=0)) == {
        "attachments": "too_many_files"
    }
    _attach(world, person, [*pictures, pdf], post, limits=Limits(images=2, files=1))


def test_detaching_lets_go(world: World) -> None:
    person, post, other = world.person(), new_id(), new_id()
    one, two, three = (world.media(person) for _ in range(3))
    _attach(world, person, [one, two], post)
    _attach(world, person, [three], other)

    with world.units.write() as uow:
        detach(uow, [one, three], shown_by=post)
        detach_from(uow, [other])

    assert _shown(world, post) == [str(two)]
    assert _shown(world, other) == []


def test_cards_have_the_documented_shape(world: World) -> None:
    person = world.person()
    ready, waiting = world.media(person), world.uploaded(person)

    with world.units.read() as uow:
        cards = media_cards(uow, [ready, waiting, new_id()])

    assert set(cards) == {ready, waiting}
    for card in cards.values():
        assert MediaOut().validate(card) == {}
        assert MediaOut().dump(card) == card


@pytest.fixture
def guarded(units: Units, monkeypatch: pytest.MonkeyPatch) -> set[UUID]:
    """People whom the guard of posts lets read."""
    readers: set[UUID] = set()

    def guard(_uow: UnitOfWork, caller: Caller, media: Media) -> bool:
        return media.attached_to is not None and caller.user_id in readers

    monkeypatch.setitem(cast("dict[type, Any]", units.adapters), MediaGuards, MediaGuards({Purpose.POST: guard}))
    return readers


def test_whoever_may_read_the_post_may_fetch_its_pictures(world: World, guarded: set[UUID]) -> None:
    author, reader, stranger, post = world.person(), world.person(), world.person(), new_id()
    picture = world.media(author)
    guarded.add(reader.id)

    assert reader.api.get(f"/media/{picture}").status == 404

    _attach(world, author, [picture], post)
    assert reader.api.get(f"/media/{picture}").status == 302
    assert stranger.api.get(f"/media/{picture}").status == 404

    with world.units.write() as uow:
        detach(uow, [picture], shown_by=post)
    assert reader.api.get(f"/media/{picture}").status == 404
    assert author.api.get(f"/media/{picture}").status == 302


def test_a_purpose_without_a_guard_is_its_owners_alone(world: World) -> None:
    author, reader = world.person(), world.person()
    review = world.media(author, purpose="review")
    _attach(world, author, [review], new_id(), Purpose.REVIEW)

    assert reader.api.get(f"/media/{review}").status == 404
    assert author.api.get(f"/media/{review}").status == 302


@pytest.mark.parametrize("purpose", ["avatar", "cover"])
def test_faces_are_seen_by_everybody_who_is_logged_in(world: World, purpose: str) -> None:
    person, other = world.person(), world.person()
    face = world.media(person, purpose=purpose)
    assert other.api.get(f"/media/{face}").status == 404

    _attach(world, person, [face], person.id, Purpose(purpose))

    assert other.api.get(f"/media/{face}?size=thumb").status == 302
    assert world.fetch(other, face).status_code == 200


def test_an_upload_attached_before_it_was_processed_is_shown_as_it_goes(world: World) -> None:
    person, post = world.person(), new_id()
    picture = world.uploaded(person)
    _attach(world, person, [picture], post)

    with world.units.read() as uow:
        assert attachments(uow, [post])[post][0]["status"] == "uploaded"
    world.process_media()
    with world.units.read() as uow:
        card = attachments(uow, [post])[post][0]
    assert (card["status"], card["width"]) == ("ready", 64)


def test_an_announced_file_can_not_be_attached_before_it_was_checked(world: World) -> None:
    person = world.person()
    announced = world.announce(person, b"x" * 64)
    send(announced["upload"], b"x" * 64)

    assert _refusal(world, person, [UUID(announced["media_id"])], new_id()) == {"attachments.0": "not_uploaded"}
