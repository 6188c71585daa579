"""when a fact was forgotten by /reset: for ten minutes it can be taken back

Revision: 0023, after 0022.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("facts", sa.Column("forgotten_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.execute("DELETE FROM facts WHERE forgotten_at IS NOT NULL")
    op.drop_column("facts", "forgotten_at")
