"""indexes that the figures need, over tables that people write to meanwhile

Revision: 0006, after 0005. Alone in a revision, since CONCURRENTLY needs no transaction around it:
whatever breaks it off, it can be run again from its beginning.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_photos_delivered_at", "photos", "delivered_at", {"postgresql_where": sa.text("delivered_at IS NOT NULL")}),
    ("ix_photos_failed_at", "photos", "failed_at", {"postgresql_where": sa.text("failed_at IS NOT NULL")}),
    # Messages come in order of time, so that a few pages tell where to look.
    ("ix_messages_created_at", "messages", "created_at", {"postgresql_using": "brin"}),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # It waits for old transactions without a limit, and keeps nobody from writing meanwhile.
        op.execute("SET lock_timeout = 0")
        for name, table, column, options in INDEXES:
            # One that broke off leaves an index that PostgreSQL keeps up and never uses.
            op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, [column], postgresql_concurrently=True, **options)
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table)
