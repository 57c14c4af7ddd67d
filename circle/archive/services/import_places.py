"""The columns and sections that an import files its posts in."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid, any_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from circle.archive.importing.places import Place
from circle.kernel import changes
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.posts.filing import Column, ColumnItem, ColumnSection
from circle.posts.services.composing import Gate

# New items go behind all that is there, in reading order, until the column is renumbered.
BEHIND = 2**24


class Shelf(NamedTuple):
    column_id: UUID
    section_id: UUID | None


Shelves = Mapping[Place, Shelf]


def prepare_shelves(
    uow: UnitOfWork, circle_id: UUID, places: Iterable[Place], *, gate: Gate, key_prefix: str
) -> Shelves:
    """Return where each place is, making the columns and sections that are new.

    A column is known again by its import key, whatever its name is now, or else by its name. One that was archived
    stays so, and what belongs to it is not filed.
    """
    wanted = list(dict.fromkeys(places))
    columns = _columns(uow, circle_id, {f"{key_prefix}{one.key}": one.column for one in wanted}, gate)
    live = {one: column for one in wanted if (column := columns[f"{key_prefix}{one.key}"]).archived_at is None}
    sections = _sections(uow, [(column.id, one.section) for one, column in live.items() if one.section is not None])
    return {
        one: Shelf(column.id, None if one.section is None else sections[column.id, one.section])
        for one, column in live.items()
    }


def _columns(uow: UnitOfWork, circle_id: UUID, names: Mapping[str, str], gate: Gate) -> dict[str, Column]:
    found = list(
        uow.session.scalars(
            select(Column)
            .where(
                Column.circle_id == circle_id,
                or_(
                    Column.import_key == any_(literal(list(names.keys()), ARRAY(Text()))),
                    Column.name == any_(literal(list(names.values()), ARRAY(Text()))),
                ),
            )
            .order_by(Column.position, Column.id)
            .with_for_update()
        )
    )
    by_key = {one.import_key: one for one in found if one.import_key is not None}
    by_name = {one.name: one for one in reversed(found) if one.import_key is None and one.archived_at is None}
    last = select(func.coalesce(func.max(Column.position), -1)).where(Column.circle_id == circle_id)
    position = uow.session.scalars(last).one()
    columns: dict[str, Column] = {}
    for key, name in names.items():
        column = by_key.get(key) or by_name.pop(name, None)
        if column is None:
            position += 1
            column = _new_column(uow, circle_id, name, position, gate)
        column.import_key = column.import_key or key
        columns[key] = column
    uow.session.flush()
    return columns


def _new_column(uow: UnitOfWork, circle_id: UUID, name: str, position: int, gate: Gate) -> Column:
    column = Column(
        id=new_id(),
        circle_id=circle_id,
        name=name,
        position=position,
        access_level=gate.level,
        access_tier_id=gate.tier_id,
        created_at=uow.now,
    )
    uow.session.add(column)
    changes.record(uow, circle_id=circle_id, kind="column", item_id=column.id, operation="created")
    return column


def _sections(uow: UnitOfWork, wanted: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    pairs = list(dict.fromkeys(wanted))
    column_ids = {column_id for column_id, _name in pairs}
    among = ColumnSection.column_id == any_(literal(list(column_ids), ARRAY(Uuid())))
    present = uow.session.scalars(select(ColumnSection).where(among)).all()
    ids = {(one.column_id, one.name): one.id for one in present}
    last = dict.fromkeys(column_ids, -1)
    for one in present:
        last[one.column_id] = max(last[one.column_id], one.position)
    for column_id, name in pairs:
        if (column_id, name) not in ids:
            last[column_id] += 1
            section = ColumnSection(id=new_id(), column_id=column_id, name=name, position=last[column_id])
            uow.session.add(section)
            ids[column_id, name] = section.id
    uow.session.flush()
    return ids


def renumber(uow: UnitOfWork, shelves: Shelves) -> None:
    """Put items that came in behind their section's others, and count the column through from zero."""
    column_ids = literal(list({shelf.column_id for shelf in shelves.values()}), ARRAY(Uuid()))
    touched = uow.session.scalars(
        select(ColumnItem.column_id)
        .distinct()
        .where(ColumnItem.column_id == any_(column_ids), ColumnItem.position >= BEHIND)
    ).all()
    among = any_(literal(list(touched), ARRAY(Uuid())))
    uow.session.execute(select(Column.id).where(Column.id == among).order_by(Column.id).with_for_update())
    place = func.row_number().over(
        partition_by=ColumnItem.column_id,
        order_by=(ColumnSection.position.asc().nulls_first(), ColumnItem.position, ColumnItem.post_id),
    )
    counted = (
        select(ColumnItem.column_id, ColumnItem.post_id, (place - 1).cast(Integer()).label("place"))
        .outerjoin(ColumnSection, ColumnSection.id == ColumnItem.section_id)
        .where(ColumnItem.column_id == among)
        .subquery("counted")
    )
    uow.session.execute(
        update(ColumnItem)
        .where(ColumnItem.column_id == counted.c.column_id, ColumnItem.post_id == counted.c.post_id)
        .values(position=counted.c.place)
        .execution_options(synchronize_session=False)
    )
    for column in uow.session.scalars(select(Column).where(Column.id == among)):
        changes.record(uow, circle_id=column.circle_id, kind="column", item_id=column.id, operation="updated")
