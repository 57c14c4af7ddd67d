"""Guards that the database itself holds: the ledger balances and is never rewritten, nor is the audit log.

Revision: 0002, after 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A statement-level trigger and not a deferred one: entries of one transaction are inserted by one statement, and the
# refusal comes where the mistake is made. Rows of one circle's accounts are locked in one order.
LEDGER_BALANCE = """
CREATE FUNCTION post_ledger_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lopsided uuid;
BEGIN
    SELECT fresh.transaction_id INTO lopsided
    FROM fresh GROUP BY fresh.transaction_id, fresh.currency HAVING sum(fresh.amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % does not sum to zero', lopsided;
    END IF;
    PERFORM 1 FROM ledger_accounts AS account
    WHERE account.balance IS NOT NULL AND account.id IN (SELECT account_id FROM fresh)
    ORDER BY account.id FOR NO KEY UPDATE;
    UPDATE ledger_accounts AS account SET balance = account.balance + gained.amount
    FROM (SELECT account_id, sum(amount)::bigint AS amount FROM fresh GROUP BY account_id) AS gained
    WHERE account.id = gained.account_id AND account.balance IS NOT NULL;
    RETURN NULL;
END $$
"""

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
"""

# What a member did stays done: a day row is never deleted, and only gets better.
DAYS_KEPT = """
CREATE FUNCTION keep_check_in_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.camp_id, NEW.user_id, NEW.day) = (OLD.camp_id, OLD.user_id, OLD.day)
        AND array_position(ARRAY['leave', 'made_up', 'done'], NEW.kind)
        >= array_position(ARRAY['leave', 'made_up', 'done'], OLD.kind)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a day that was done can not be taken away';
END $$
"""

# RFC 9562, for inserts of many rows in one statement: milliseconds since 1970, then random bits.
UUID_V7 = """
CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6
            ),
            52, 1), 53, 1),
        'hex')::uuid
$$
"""

APPEND_ONLY = ("ledger_entries", "ledger_transactions", "audit_log")


def upgrade() -> None:
    op.execute(LEDGER_BALANCE)
    op.execute(
        "CREATE TRIGGER post_ledger_entries AFTER INSERT ON ledger_entries"
        " REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION post_ledger_entries()"
    )
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(DAYS_KEPT)
    op.execute(
        "CREATE TRIGGER keep_check_in_day BEFORE UPDATE OR DELETE ON check_in_days"
        " FOR EACH ROW EXECUTE FUNCTION keep_check_in_day()"
    )
    op.execute(UUID_V7)


def downgrade() -> None:
    op.execute("DROP FUNCTION uuid_v7()")
    op.execute("DROP TRIGGER keep_check_in_day ON check_in_days")
    op.execute("DROP FUNCTION keep_check_in_day()")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER refuse_change ON {table}")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP TRIGGER post_ledger_entries ON ledger_entries")
    op.execute("DROP FUNCTION post_ledger_entries()")
