"""Camps: figures refuse to be written by whoever read them too early; a day belongs to a member, an entry to a day.

Revision: 0013, after 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Constraint by constraint: its table and what it says.
ADDED = {
    "ck_camp_standings_total": ("camp_standings", "CHECK (total >= 0)"),
    "fk_check_in_days_member": ("check_in_days", "FOREIGN KEY (camp_id, user_id) REFERENCES camp_members (camp_id, user_id)"),
    "fk_check_ins_day": (
        "check_ins",
        "FOREIGN KEY (camp_id, user_id, day) REFERENCES check_in_days (camp_id, user_id, day)",
    ),
}
# What follows from those: each check-in would lock the camp's row only to see that it is still there.
IMPLIED = {
    "fk_check_in_days_camp_id": ("check_in_days", "FOREIGN KEY (camp_id) REFERENCES camps (id)"),
    "fk_check_in_days_user_id": ("check_in_days", "FOREIGN KEY (user_id) REFERENCES users (id)"),
    "fk_check_ins_camp_id": ("check_ins", "FOREIGN KEY (camp_id) REFERENCES camps (id)"),
    "fk_check_ins_user_id": ("check_ins", "FOREIGN KEY (user_id) REFERENCES users (id)"),
}


def upgrade() -> None:
    _replace(IMPLIED, ADDED)


def downgrade() -> None:
    _replace(ADDED, IMPLIED)


def _replace(old: dict[str, tuple[str, str]], new: dict[str, tuple[str, str]]) -> None:
    """Each statement by itself and such that it can be done again."""
    with op.get_context().autocommit_block():
        for name, (table, rule) in new.items():
            op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {rule} NOT VALID")
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        for name, (table, _rule) in old.items():
            op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
