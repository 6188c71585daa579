"""when a person was told that the photo they asked for takes longer

Revision: 0025, after 0024.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photos", sa.Column("wait_told_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("photos", "wait_told_at")
