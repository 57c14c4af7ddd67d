"""A person's copy of everything about them, and the map that says where it is."""

from typing import Any

from sqlalchemy import Column

from circle.models import Base
from circle.personal_data import ABOUT_OTHERS, HIDDEN, OWNED
from tests.client import World


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
    sections = world.person().api.get("/me/export").ok()["sections"]

    assert not {name for rows in sections.values() for row in rows for name in row} & HIDDEN


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
    """Directly, or with the row that it hangs on, such as a day of a member of a camp."""
    return any(
        key.column.table.name == "users" or (key.column.name != "id" and points_at_people(key.column))
        for key in column.foreign_keys
    )
