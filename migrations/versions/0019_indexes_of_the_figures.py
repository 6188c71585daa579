"""indexes for the figures of a day, and for messages that no vacuum has seen yet

Revision: 0019, after 0018. Alone in a revision, since CONCURRENTLY needs no transaction around it:
whatever breaks it off, it can be run again from its beginning.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without it what was written since the last vacuum is read from end to end, every few seconds.
    op.execute("ALTER INDEX ix_messages_created_at SET (autosummarize = on)")
    with op.get_context().autocommit_block():
        # It waits for old transactions without a limit, and keeps nobody from writing meanwhile.
        op.execute("SET lock_timeout = 0")
        op.execute("SELECT brin_summarize_new_values('ix_messages_created_at')")
        op.drop_index("ix_payments_paid_at", "payments", if_exists=True, postgresql_concurrently=True)
        op.create_index("ix_payments_paid_at", "payments", ["paid_at"], postgresql_concurrently=True)
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    op.drop_index("ix_payments_paid_at", "payments")
    op.execute("ALTER INDEX ix_messages_created_at RESET (autosummarize)")
