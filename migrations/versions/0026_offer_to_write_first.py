"""when a person was asked whether a persona may write first

Revision: 0026, after 0025.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("people", sa.Column("first_offered_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("people", "first_offered_at")
