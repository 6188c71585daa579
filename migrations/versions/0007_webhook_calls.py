"""what SCALE_WEBHOOK_URL has heard of an alert

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("called", sa.Text()))


def downgrade() -> None:
    op.drop_column("alerts", "called")
