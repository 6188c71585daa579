"""how much the face of a photo is like those of its reference pictures, where somebody compared

Revision: 0022, after 0021.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photos", sa.Column("face_likeness", sa.Float()))


def downgrade() -> None:
    op.drop_column("photos", "face_likeness")
