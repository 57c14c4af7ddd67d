"""Camps: figures belong to a member's row, by which alone they are found; each check-in wrote an index that nobody needs.

Revision: 0018, after 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MEMBER = {
    "fk_camp_standings_member": "FOREIGN KEY (camp_id, user_id) REFERENCES camp_members (camp_id, user_id)",
}
APART = {
    "fk_camp_standings_camp_id": "FOREIGN KEY (camp_id) REFERENCES camps (id)",
    "fk_camp_standings_user_id": "FOREIGN KEY (user_id) REFERENCES users (id)",
}
INDEX = "ix_camp_standings_user_id"


def upgrade() -> None:
    _replace(APART, MEMBER)
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, table_name="camp_standings", if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, table_name="camp_standings", if_exists=True, postgresql_concurrently=True)
        op.create_index(INDEX, "camp_standings", ["user_id"], postgresql_concurrently=True)
    _replace(MEMBER, APART)


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    """Each statement by itself and such that it can be done again."""
    with op.get_context().autocommit_block():
        for name, rule in new.items():
            op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE camp_standings DROP CONSTRAINT IF EXISTS {name}")
            op.execute(f"ALTER TABLE camp_standings ADD CONSTRAINT {name} {rule} NOT VALID")
            op.execute(f"ALTER TABLE camp_standings VALIDATE CONSTRAINT {name}")
        for name in old:
            op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE camp_standings DROP CONSTRAINT IF EXISTS {name}")
