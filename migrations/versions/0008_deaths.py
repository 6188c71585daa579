"""how many processes died with an update in their hands

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("updates", sa.Column("deaths", sa.SmallInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("updates", "deaths")
