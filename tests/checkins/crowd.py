"""Many members of a camp, put there by hand: for rankings and plans."""

from typing import Any
from uuid import UUID

from circle.kernel.ids import new_id
from tests.builders.camps import BuiltCamp


def people(sql: Any, size: int) -> list[UUID]:
    """So many people, in the order of their ids."""
    ids = sorted(new_id() for _ in range(size))
    sql(
        "INSERT INTO users (id, display_name, bio, language, timezone, is_operator, version, created_at)"
        " SELECT id, '某人', '', 'zh-CN', 'Asia/Shanghai', false, 1, now() FROM unnest(CAST(:ids AS uuid[])) AS id",
        ids=ids,
    )
    return ids


def take_part(sql: Any, camp: BuiltCamp, ids: list[UUID]) -> None:
    """Let people be members of a camp for its whole term, without figures yet."""
    sql(
        "INSERT INTO camp_members (camp_id, user_id, starts_on, ends_on, completion_days, joined_at)"
        " SELECT camps.id, person, camps.starts_on, camps.ends_on, 1, now()"
        " FROM camps, unnest(CAST(:ids AS uuid[])) AS person WHERE camps.id = :camp",
        camp=camp.id,
        ids=ids,
    )
