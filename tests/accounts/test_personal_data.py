"""A person's copy of everything about them, and the map that says where it is."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Uuid

from circle.data_map import (
    ABOUT_OTHERS,
    BARE_IDS_OF_THINGS,
    EMPTIED,
    GONE,
    HIDDEN,
    KEPT,
    OF_NOBODY,
    OWNED,
    WORDS_OF_OURS,
)
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.models import Base
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify
from circle.personal_data import deleted_are_forgotten, left_behind
from tests.architecture.sources import ROOT
from tests.builders.homework import RUBRIC
from tests.builders.people import Person
from tests.client import World

PASSWORD = "a good password"
FIGURES = (UUID, int, float, bool, Decimal, datetime, date, time, timedelta)


def test_a_person_gets_a_copy_of_everything_about_them(world: World) -> None:
    person, other = world.person("林晓"), world.person("别人")
    person.api.post("/me/tokens", {"name": "script", "scopes": ["read"]}).ok(201)

    sections = person.api.get("/me/export").ok()["sections"]

    assert [user["display_name"] for user in sections["users"]] == ["林晓"]
    assert [identity["value"] for identity in sections["identities"]] == [person.email]
    assert [token["name"] for token in sections["personal_tokens"]] == ["script"]
    assert str(other.id) not in str(sections)
    assert person.token not in str(sections)


def test_no_secret_is_in_the_copy(world: World) -> None:
    circle = world.circle()
    person = world.member(circle)
    circle.owner.api.patch(f"{circle.path}/members/{person.id}", {"note": "写小说的"}).ok()
    person.api.post("/me/tokens", {"name": "script", "scopes": ["read"]}).ok(201)

    sections = person.api.get("/me/export").ok()["sections"]

    told = {f"{table}.{name}" for table, rows in sections.items() for row in rows for name in row}
    assert {"sessions.device_name", "personal_tokens.hint", "memberships.alias"} <= told
    assert not told & HIDDEN
    assert "写小说的" not in str(sections)


def test_what_proves_a_person_is_in_no_copy() -> None:
    owned = (column for name in OWNED for column in Base.metadata.tables[name].columns)
    proofs = {f"{column.table.name}.{column.name}" for column in owned if column.name.endswith("_hash")}

    assert proofs <= HIDDEN


def test_the_copy_tells_no_score_that_is_held_back(world: World) -> None:
    circle = world.circle()
    person, homework = world.member(circle), world.assignment(circle, hold_scores=True)
    world.review(world.hand_in(homework, person), circle.owner, "scored", score=61)

    before = work_in_the_copy(person)
    circle.owner.api.post(f"{homework.path}/release").ok()
    after = work_in_the_copy(person)

    assert (before["state"], before["score"]) == ("submitted", None)
    assert (after["state"], after["score"]) == ("scored", 61)
    assert not before.keys() & {"waiting_since", "claimed_by"}


def work_in_the_copy(person: Person) -> Any:
    [work] = person.api.get("/me/export").ok()["sections"]["works"]
    return work


@pytest.mark.parametrize("anonymous", [True, False])
def test_the_copy_names_no_peer_who_is_anonymous(world: World, *, anonymous: bool) -> None:
    circle = world.circle()
    peers = [world.member(circle) for _ in range(2)]
    homework = world.assignment(
        circle, rubric=RUBRIC, peer_review={"reviewers": 1, "days": 3, "anonymous": anonymous}, visibility="never"
    )
    for one in peers:
        world.hand_in(homework, one)

    [task] = peers[0].api.get("/me/export").ok()["sections"]["peer_tasks"]

    assert task["author_id"] == (None if anonymous else str(peers[1].id))


def test_every_column_that_points_at_people_is_on_the_map() -> None:
    pointing = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if points_at_people(column)
    }
    owned = {f"{table}.{column}" for table, column in OWNED.items() if table != "users"}

    assert pointing == owned | set(ABOUT_OTHERS)


def points_at_people(column: Column[Any]) -> bool:
    """Directly, with the row that it hangs on, such as a day of a member of a camp, or by a bare id."""
    if not (column.foreign_keys or column.primary_key or column.name in BARE_IDS_OF_THINGS):
        return holds_ids(column)
    return any(
        key.column.table.name == "users" or (key.column.name != "id" and points_at_people(key.column))
        for key in column.foreign_keys
    )


def holds_ids(column: Column[Any]) -> bool:
    return isinstance(column.type, Uuid)


def test_every_text_is_on_the_map() -> None:
    texts = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        if table.name not in GONE
        for column in table.columns
        if column.name not in WORDS_OF_OURS and may_hold_text(column)
    }
    emptied = {f"{table}.{name}" for table, names in EMPTIED.items() for name in names}
    stays = {f"{table}.{name}" for tags in (KEPT, OF_NOBODY) for table, (names, _) in tags.items() for name in names}

    assert texts == emptied | stays
    assert not emptied & stays
    assert OWNED.keys() >= GONE | EMPTIED.keys() | KEPT.keys()
    assert not OWNED.keys() & OF_NOBODY.keys()


def test_no_word_of_ours_is_typed_by_people() -> None:
    """A column of such a name is on no map, so nothing free may be sent under it."""
    known = {
        "provider": "one of those that are set up",
        "source": "of an import, which keeps it in its options",
    }

    assert typed_by_people() & WORDS_OF_OURS == known.keys()


def typed_by_people() -> set[str]:
    """The names of all texts in the bodies of requests that are no choice and have no form."""
    document = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
    sent = [one["requestBody"] for path in document["paths"].values() for one in path.values() if "requestBody" in one]
    shapes = [content["schema"] for body in sent for content in body["content"].values()]
    found: set[str] = set()
    met: set[str] = set()
    while shapes:
        shape = shapes.pop()
        reference = shape.get("$ref", "").rpartition("/")[2]
        if reference and reference not in met:
            met.add(reference)
            shapes.append(document["components"]["schemas"][reference])
        for name, inner in shape.get("properties", {}).items():
            shapes.append(inner)
            if "string" in inner.get("type", ()) and not inner.keys() & {"enum", "format"}:
                found.add(name)
        shapes += [shape[name] for name in ("items", "additionalProperties") if isinstance(shape.get(name), dict)]
        shapes += [one for name in ("allOf", "anyOf", "oneOf") for one in shape.get(name, ())]
    return found


def may_hold_text(column: Column[Any]) -> bool:
    try:
        return column.type.python_type not in FIGURES
    except NotImplementedError:
        return True


def test_a_deleted_account_leaves_no_words_behind(world: World, clock: ManualClock, units: Units, sql: Any) -> None:
    person = somebody_everywhere(world, clock, units, sql)
    mark = "UPDATE users SET deleted_at = {} WHERE id = :id"

    sql(mark.format("now()"), id=person.id)
    with units.read() as uow:
        what_has_to_go = left_behind(uow).keys()
    sql(mark.format("NULL"), id=person.id)
    words = said_in(sql, person)
    person.api.delete("/me", json={"password": PASSWORD}).ok(204)

    assert what_has_to_go == GONE | EMPTIED.keys()
    assert words == {f"{table}.{name}" for table, names in EMPTIED.items() for name in names}
    assert deleted_are_forgotten(units) is None
    assert said_in(sql, person) == set()


def said_in(sql: Any, person: Person) -> set[str]:
    """The columns that are to be emptied and say something of somebody."""
    said = "SELECT 1 FROM {table} WHERE {owner} = :id AND {name}::text NOT IN ('', '[]', '{{}}') LIMIT 1"
    return {
        f"{table}.{name}"
        for table, names in EMPTIED.items()
        for name in names
        if sql(said.format(table=table, owner=OWNED[table], name=name), id=person.id)
    }


def test_a_deleted_account_leaves_no_face_and_no_code(world: World, sql: Any) -> None:
    person = world.person()
    face = str(world.media(person, purpose="avatar"))
    person.api.patch("/me", {"avatar_media_id": face}).ok()
    person.api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)

    person.api.delete("/me", json={}).ok(204)

    assert sql("SELECT avatar_media_id FROM users WHERE id = :id", id=person.id)[0]["avatar_media_id"] is None
    assert sql("SELECT 1 FROM one_time_codes WHERE value = :email", email=person.email) == []
    assert sql("SELECT 1 FROM media WHERE owner_id = :id AND attached_to IS NOT NULL", id=person.id) == []


def test_the_doctor_names_what_a_deleted_account_left(world: World, units: Units, sql: Any) -> None:
    person = world.person()
    person.api.delete("/me", json={}).ok(204)
    sql("UPDATE users SET bio = 'still here' WHERE id = :id", id=person.id)

    assert deleted_are_forgotten(units) == "1 rows of users of deleted accounts"


def somebody_everywhere(world: World, clock: ManualClock, units: Units, sql: Any) -> Person:
    """Somebody with a row, and words, in every table that forgets people."""
    circle = world.circle()
    teacher = world.member(circle, role="guest")
    person = world.paying_member(circle)
    person.api.patch("/me", {"bio": "写小说的", "password": PASSWORD}).ok()
    person.api.post("/me/tokens", {"name": "script", "scopes": ["read"]}).ok(201)
    person.api.patch(f"{circle.path}/membership", {"alias": "老林"}).ok()
    sql("UPDATE memberships SET answers = ARRAY['为了写完'] WHERE user_id = :id", id=person.id)
    circle.owner.api.patch(f"{circle.path}/members/{person.id}", {"note": "写小说的"}).ok()
    world.gift(circle, person, message="生日快乐")
    _read(world, person, world.post(circle))
    _be_told(person, units)
    _hand_in(world, person, world.assignment(circle, teacher), clock)
    _check_in(world, person, circle)
    return person


def _read(world: World, person: Person, post: Any) -> None:
    person.api.put(f"{post.path}/read", {"progress": 50}).ok(204)
    person.api.put(f"{post.circle.path}/read").ok(204)
    person.api.put(f"{post.path}/bookmark", {"folder": "选题", "note": "再读一遍"}).ok()
    person.api.post(f"{post.path}/report", {"reason": "other", "note": "看不懂"}).ok(201)


def _be_told(person: Person, units: Units) -> None:
    nobody_there = "http://127.0.0.1:9/"
    person.api.put("/me/webhook", {"url": nobody_there}).ok()
    wishes = {"quiet_from": "22:00", "quiet_to": "07:00", "switches": [{"kind": None, "in_app": True, "email": False}]}
    person.api.put("/me/notification-settings", wishes).ok()
    with units.write() as uow:
        notify(uow, person.id, Kind.COMMENT_RECEIVED, key="comment:1", circle="写作圈", actor="王老师")
    load_job("hooks.relay").run(units)


def _hand_in(world: World, person: Person, homework: Any, clock: ManualClock) -> None:
    person.api.put(f"{homework.path}/draft", {"body": "那年冬"}).ok()
    due = {"user_id": str(person.id), "due_at": (clock.now() + timedelta(days=20)).isoformat(), "note": "生病"}
    homework.circle.owner.api.post(f"{homework.path}/extensions", due).ok(201)


def _check_in(world: World, person: Person, circle: Any) -> None:
    camp = world.camp(circle, days=1)
    person.api.post(f"{camp.path}/join").ok()
    entry = world.check_in(camp, person, body="第一天")
    person.api.post(f"/check-ins/{entry['id']}/comments", {"body": "加油"}).ok(201)
    circle.owner.api.put(f"/check-ins/{entry['id']}/note", {"body": "细节写得好。"}).ok(204)
