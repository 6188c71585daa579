"""what a photo of each worker costs

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("photo_cost", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "photo_cost")
