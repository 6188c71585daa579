"""what a finished picture may and must show

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = ("explicit", "face_due", "stricter")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("photos", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("photos", name)
