"""A circle's export comes into an empty circle, and its export is the same but for ids and what belongs here."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest

from circle.archive.importing.circles import Ids
from circle.archive.services import import_requests
from circle.kernel.clock import ManualClock
from tests.builders.archive import zip_of
from tests.builders.circles import BuiltCircle
from tests.builders.exports import Taken
from tests.builders.lived_in import lived_in_circle
from tests.builders.media import PDF
from tests.builders.people import Person
from tests.client import World


@pytest.fixture
def lived_in(world: World, clock: ManualClock) -> BuiltCircle:
    return lived_in_circle(world, clock)


@pytest.fixture
def empty(world: World) -> BuiltCircle:
    return world.circle(world.person("新星主"), tiers=(), name="新的")


def bring(world: World, circle: BuiltCircle, content: bytes, tmp_path: Path) -> Any:
    archive = tmp_path / "export.zip"
    archive.write_bytes(content)
    tally = world.imported(circle, archive, format="circle")
    world.process_media()
    return tally


def everything(taken: Taken, translated: Callable[[str], str]) -> dict[str, list[Any]]:
    """The rows of every table, in no order, under the ids that they have in the other circle."""
    tables = [name.removeprefix("data/").removesuffix(".jsonl") for name in taken.names if name.startswith("data/")]
    return {
        table: sorted((json.loads(translated(json.dumps(row))) for row in taken.rows(table)), key=_canonical)
        for table in tables
    }


def _canonical(row: Any) -> str:
    return json.dumps(row, sort_keys=True)


def same_ids(text: str) -> str:
    return text


def moved(taken: Taken, to: BuiltCircle, sql: Any) -> Callable[[str], str]:
    """Write an export's ids as those that they become in another circle."""
    ids = Ids(to.id)
    owner = next(row for row in taken.rows("memberships") if row["role"] == "owner")
    mine = sql("SELECT id FROM memberships WHERE circle_id = :c AND role = 'owner'", c=to.id)[0]["id"]
    old_circle = UUID(taken.rows("circles")[0]["id"])
    ids.fixed = {old_circle: to.id, UUID(owner["user_id"]): to.owner.id, UUID(owner["id"]): mine}
    ids.known = _All()
    return ids.in_text


class _All(set[UUID]):
    def __contains__(self, _id: object) -> bool:
        return True


# What belongs to the installation and not to the circle: how its owner is called there, the address, and the codes of
# certificates, which are taken here by those of the first circle.
HERE = {
    "circles": {"slug", "version", "cover_media_id"},
    "memberships": {"version", "review_at"},
    "users": {"version"},
    "certificates": {"code"},
}


def comparable(rows: dict[str, list[Any]], owner: Person) -> dict[str, list[Any]]:
    return {
        table: [
            {name: value for name, value in row.items() if name not in HERE.get(table, ())}
            for row in some
            if not (table == "users" and row["id"] == str(owner.id))
        ]
        for table, some in rows.items()
    }


def differing(before: list[Any], after: list[Any]) -> list[Any]:
    """What rows say that stand in one list only."""
    return [[row for row in one if row not in other] for one, other in ((before, after), (after, before))]


def test_an_export_of_an_import_is_the_same(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path, sql: Any
) -> None:
    first = world.export(lived_in.owner, lived_in, "circle", "archive")

    tally = bring(world, empty, first.content, tmp_path)
    second = world.export(empty.owner, empty, "circle", "archive")

    assert [one for one in tally.report if one["code"] != "not_live"] == []
    before = comparable(everything(first, moved(first, empty, sql)), empty.owner)
    after = comparable(everything(second, same_ids), empty.owner)
    assert {table: differing(before[table], after[table]) for table in before if before[table] != after[table]} == {}
    assert [table for table, rows in before.items() if not rows] == [], "a table that no row stands for"


def test_a_rehearsal_counts_and_leaves_the_circle_empty(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, sql: Any
) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive").content
    upload = {"filename": "export.zip", "content_type": "application/zip", "purpose": "import"}
    body = {"media_id": str(world.media(empty.owner, export, **upload)), "format": "circle", "dry_run": True}
    asked = empty.owner.api.post(f"{empty.path}/imports", body).ok(202)

    world.run_job("hauls.run_import")

    told = empty.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], set(told["counts"]), told["counts"]["created"]) == ("done", {"created"}, told["total"])
    assert sql("SELECT count(*) AS n FROM posts WHERE circle_id = :c", c=empty.id)[0]["n"] == 0


def test_what_came_in_lives(world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    bring(world, empty, export.content, tmp_path)
    owner = empty.owner.api

    posts = {one["title"]: one for one in owner.get(f"{empty.path}/posts").ok()["items"]}
    first = owner.get(f"/posts/{posts['第一篇']['id']}").ok()
    assert (first["tags"], first["digest"], first["comment_count"]) == (["写作/选题"], True, 2)
    assert f"/posts/{first['id']}" in first["body"]
    assert world.fetch(empty.owner, first["attachments"][0]["id"]).content == PDF
    assert owner.get(empty.path).ok()["name"] == "写作圈"
    members = {one["alias"] or one["number"]: one for one in owner.get(f"{empty.path}/members").ok()["items"]}
    assert members["小同"]["note"] == "写小说的"
    newcomer = world.person("后来的人")
    tier = next(one for one in owner.get(f"{empty.path}/tiers").ok()["items"] if one["rank"] == 1)
    world.pay(
        newcomer,
        newcomer.api.post(
            f"{empty.path}/join",
            {"price_id": tier["prices"][0]["id"], "collection": "manual"},
            headers={"Idempotency-Key": "r1"},
        ).ok(201)["checkout"],
    )
    assert newcomer.api.get(f"{empty.path}/membership").ok()["number"] == len(members) + 1
    assert world.broken_rules() == []


def test_importing_twice_or_killed_in_the_middle_changes_nothing(
    world: World,
    lived_in: BuiltCircle,
    empty: BuiltCircle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock: ManualClock,
    sql: Any,
) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    asked = empty.owner.api.post(
        f"{empty.path}/imports", {"format": "circle", "media_id": _uploaded(world, empty, export)}
    ).ok(202)
    with monkeypatch.context() as broken:
        broken.setattr("circle.archive.services.import_circle._settle", _die)
        with pytest.raises(KeyboardInterrupt):
            world.run_job("hauls.run_import")
    rows = sql("SELECT count(*) AS n FROM comments")[0]["n"]

    clock.advance(import_requests.LEASE + timedelta(seconds=1))
    world.run_job("hauls.run_import")

    told = empty.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], sql("SELECT count(*) AS n FROM comments")[0]["n"]) == ("done", rows)


def _uploaded(world: World, circle: BuiltCircle, export: Taken) -> str:
    about = {"filename": "export.zip", "content_type": "application/zip", "purpose": "import"}
    return str(world.media(circle.owner, export.content, **about))


def _die(*_arguments: Any) -> Any:
    raise KeyboardInterrupt


def test_a_bad_row_is_told_and_stops_nobody(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path
) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    stranger = world.person()
    spoilt = dict(_files(export))
    comments = spoilt["data/comments.jsonl"].decode().splitlines()
    spoilt["data/comments.jsonl"] = "\n".join(
        [comments[0], "{half", '{"id": 5}', json.dumps({**json.loads(comments[1]), "post_id": str(stranger.id)}), "[]"]
    ).encode()
    spoilt["data/strange.jsonl"] = b"{}\n"

    tally = bring(world, empty, zip_of(spoilt), tmp_path)

    told = [(one["path"], one["line"], one["code"]) for one in tally.report if one["code"] != "not_live"]
    assert sorted(told, key=str) == [
        ("data/comments.jsonl", 2, "bad_row"),
        ("data/comments.jsonl", 3, "bad_row"),
        ("data/comments.jsonl", 4, "bad_row"),
        ("data/comments.jsonl", 5, "bad_row"),
        ("data/strange.jsonl", None, "unknown_file"),
    ]
    assert tally.counts["failed"] == 4


def damaged(content: bytes, path: str) -> bytes:
    """A ZIP in which the bytes of one file are others than its table of contents says."""
    with ZipFile(BytesIO(content)) as archive:
        info = archive.getinfo(path)
    begin = info.header_offset + 30 + len(path.encode())
    spoilt = bytearray(content)
    for at in range(begin, begin + min(info.compress_size, 64)):
        spoilt[at] ^= 0xFF
    return bytes(spoilt)


def refused(world: World, circle: BuiltCircle, content: bytes) -> Any:
    """What is told of an upload that the worker took up."""
    about = {"filename": "a.zip", "content_type": "application/zip", "purpose": "import"}
    body = {"format": "circle", "media_id": str(world.media(circle.owner, content, **about))}
    asked = circle.owner.api.post(f"{circle.path}/imports", body).ok(202)
    world.run_job("hauls.run_import")
    return circle.owner.api.get(f"/imports/{asked['id']}").ok()


def test_a_damaged_table_leaves_nothing_half_imported(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, sql: Any
) -> None:
    export = zip_of(dict(_files(world.export(lived_in.owner, lived_in, "circle", "archive"))))

    told = refused(world, empty, damaged(export, "data/comments.jsonl"))

    assert (told["status"], told["refusal"]) == ("failed", "It is damaged: data/comments.jsonl")
    left = "SELECT id FROM posts WHERE circle_id = :c UNION SELECT id FROM tiers WHERE circle_id = :c"
    assert sql(left, c=empty.id) == []
    assert refused(world, empty, export)["status"] == "done"


def test_a_damaged_file_is_told_and_stops_nobody(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path
) -> None:
    files = dict(_files(world.export(lived_in.owner, lived_in, "circle", "archive")))
    pdf = next(name for name in files if name.endswith(".pdf"))

    tally = bring(world, empty, damaged(zip_of(files), pdf), tmp_path)

    assert [one["data"]["problem"] for one in tally.report if one["code"] == "bad_row"] == ["its file is damaged"]
    assert tally.counts["failed"] == 1


def test_a_bomb_of_rows_is_refused(world: World, lived_in: BuiltCircle, empty: BuiltCircle) -> None:
    files = dict(_files(world.export(lived_in.owner, lived_in, "circle", "archive")))
    files["data/comments.jsonl"] = b"\n" * 20_000_000

    assert refused(world, empty, zip_of(files))["refusal"] == "It is too large, or packed like a bomb."


def _files(taken: Taken) -> Iterator[tuple[str, bytes]]:
    for name in taken.names:
        yield name, taken.zip.read(name)


def test_an_export_can_not_reach_out_of_its_circle(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path, sql: Any
) -> None:
    """Ids of things that exist here already mean nothing: a row that names them points into its own circle."""
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    victim = world.circle()
    target = world.post(victim, body="别人的")
    forged = dict(_files(export))
    post = json.loads(forged["data/posts.jsonl"].splitlines()[0])
    forged["data/posts.jsonl"] += json.dumps({**post, "id": str(target.id), "circle_id": str(victim.id)}).encode()
    user = json.loads(forged["data/users.jsonl"].splitlines()[0])
    admin = {**user, "id": str(victim.id), "is_operator": True, "password_hash": "x"}
    forged["data/users.jsonl"] += json.dumps(admin).encode()
    media = json.loads(forged["data/media.jsonl"].splitlines()[0])
    forged["data/media.jsonl"] = json.dumps({**media, "object_key": "exports/1", "status": "ready"}).encode()

    bring(world, empty, zip_of(forged), tmp_path)

    assert sql("SELECT body FROM posts WHERE circle_id = :c", c=victim.id) == [{"body": "别人的"}]
    assert sql("SELECT count(*) AS n FROM users WHERE is_operator OR password_hash = 'x'")[0]["n"] == 0
    assert sql("SELECT count(*) AS n FROM media WHERE object_key LIKE 'exports/%' AND purpose <> 'export'")[0]["n"] == 0


def test_it_comes_into_an_empty_circle_of_ones_own_only(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle
) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    body = {"format": "circle", "media_id": _uploaded(world, lived_in, export)}

    assert lived_in.owner.api.post(f"{lived_in.path}/imports", body).code == "circle_not_empty"
    partner = world.member(lived_in, role="partner")
    assert partner.api.post(f"{lived_in.path}/imports", body).code == "missing_permission"


def brought(world: World, circle: BuiltCircle, content: bytes, tmp_path: Path, sql: Any) -> str:
    """Bring an export into a circle; return the path of the import."""
    bring(world, circle, content, tmp_path)
    found = sql("SELECT id FROM imports WHERE circle_id = :c", c=circle.id)
    return f"/imports/{found[0]['id']}"


def test_an_import_is_undone_while_nobody_has_joined(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path, sql: Any
) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    path = brought(world, empty, export.content, tmp_path, sql)

    empty.owner.api.post(f"{path}/undo").ok(202)
    empty.owner.api.post(f"{path}/undo").ok(202)
    assert [world.run_job("imports.run"), world.run_job("imports.run")] == [1, 0]

    told = empty.owner.api.get(path).ok()
    words = "SELECT count(*) AS n FROM posts WHERE circle_id = :c AND (title <> '' OR body <> '' OR purged_at IS NULL)"
    assert (told["status"], sql(words, c=empty.id)[0]["n"]) == ("undone", 0)
    left = (
        "SELECT circle_id FROM comments UNION SELECT circle_id FROM tags UNION SELECT circle_id FROM columns"
        " UNION SELECT circle_id FROM imported_records"
    )
    assert empty.id not in {one["circle_id"] for one in sql(left)}
    names = "SELECT DISTINCT display_name FROM users JOIN memberships ON user_id = users.id WHERE circle_id = :c"
    assert {one["display_name"] for one in sql(names, c=empty.id)} == {"新星主", "已注销用户"}
    assert world.person().api.get(empty.path).status == 404
    assert len(lived_in.owner.api.get(f"{lived_in.path}/posts").ok()["items"]) == 3
    again = world.circle(empty.owner, tiers=(), name="再来", slug=empty.slug)
    assert [one["code"] for one in bring(world, again, export.content, tmp_path).report] == ["not_live"]


def test_an_import_that_somebody_has_joined_stays(
    world: World, lived_in: BuiltCircle, empty: BuiltCircle, tmp_path: Path, sql: Any
) -> None:
    export = world.export(lived_in.owner, lived_in, "circle", "archive")
    path = brought(world, empty, export.content, tmp_path, sql)
    partner = world.member(empty, role="partner")

    assert partner.api.post(f"{path}/undo").code == "missing_permission"
    assert empty.owner.api.post(f"{path}/undo").code == "circle_in_use"
    assert (empty.owner.api.get(path).ok()["status"], empty.owner.api.get(empty.path).ok()["closed"]) == ("done", False)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.md": b"x"}, "It is not the export of a circle."),
        ({"manifest.json": b"{"}, "It is not the export of a circle."),
        ({"manifest.json": b'{"format": "other"}'}, "It is not the export of a circle."),
        ({"manifest.json": b'{"format": "circle-export", "version": 99}'}, "This version of the export format"),
        ({"manifest.json": b"{}", "../up": b"x"}, "It has a path that leads out of the archive."),
    ],
)
def test_what_is_no_export_is_refused_whole(
    world: World, empty: BuiltCircle, files: dict[str, bytes], said: str
) -> None:
    told = refused(world, empty, zip_of(files))

    assert told["status"] == "failed"
    assert told["refusal"].startswith(said)
