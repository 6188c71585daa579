"""what each worker can render, what it lacks, whose graphs it shares its ComfyUI with

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # None until the worker has proven itself: nobody knows yet.
    op.add_column("workers", sa.Column("workflows", postgresql.JSONB(), nullable=True))
    op.add_column("workers", sa.Column("lacks", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("workers", sa.Column("foreign_graphs", sa.Integer(), server_default="0", nullable=False))
    op.add_column("workers", sa.Column("warning", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("warning", "foreign_graphs", "lacks", "workflows"):
        op.drop_column("workers", name)
