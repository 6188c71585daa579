"""what is left of payments when a person has everything deleted: no number, for the accounts alone

Revision: 0024, after 0023.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("charge_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("charge_id", name="pk_receipts"),
    )
    op.create_index("ix_receipts_paid_at", "receipts", ["paid_at"])


def downgrade() -> None:
    op.drop_table("receipts")
