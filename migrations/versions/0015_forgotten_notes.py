"""Why somebody got more time is forgotten with their account: of an extension, nothing else ever changes.

Revision: 0015, after 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_REFUSE = "CREATE TRIGGER refuse_change BEFORE {} ON extensions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
_REWRITE = """
CREATE TRIGGER refuse_rewrite BEFORE UPDATE ON extensions FOR EACH ROW
WHEN (NEW.note <> '' OR to_jsonb(NEW) - 'note' <> to_jsonb(OLD) - 'note')
EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.execute("DROP TRIGGER refuse_change ON extensions")
    op.execute(_REFUSE.format("DELETE OR TRUNCATE"))
    op.execute(_REWRITE)


def downgrade() -> None:
    op.execute("DROP TRIGGER refuse_rewrite ON extensions")
    op.execute("DROP TRIGGER refuse_change ON extensions")
    op.execute(_REFUSE.format("UPDATE OR DELETE OR TRUNCATE"))
