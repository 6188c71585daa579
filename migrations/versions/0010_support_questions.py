"""how many questions about payments a person has passed on, and since when

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("people", sa.Column("support_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("people", sa.Column("support_questions", sa.SmallInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("people", "support_questions")
    op.drop_column("people", "support_since")
