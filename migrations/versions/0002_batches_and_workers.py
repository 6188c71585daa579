"""batches, expiry, dropped photos, workers

Revision: 0002, after 0001. The version before goes on working: it never writes the new status and new columns
have defaults.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD = ("queued", "rendering", "stored", "sending", "delivered", "unconfirmed", "failed")


def _allow(*statuses: str) -> None:
    op.drop_constraint(op.f("ck_photos_status"), "photos")
    listed = ", ".join(f"'{status}'" for status in statuses)
    op.create_check_constraint(op.f("ck_photos_status"), "photos", f"status IN ({listed})")


def upgrade() -> None:
    op.add_column("photos", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("photos", sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("photos", sa.Column("batch_size", sa.SmallInteger(), nullable=True))
    op.add_column("photos", sa.Column("render_seconds", sa.Float(), nullable=True))
    _allow(*OLD, "dropped")
    op.create_index(
        "ix_photos_on_the_way",
        "photos",
        ["owner_id"],
        postgresql_where=sa.text("status IN ('queued', 'rendering', 'stored', 'sending')"),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("photo_seconds", sa.Float(), nullable=True),
        sa.Column("in_hand", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    op.drop_table("workers")
    op.drop_index("ix_photos_on_the_way", "photos")
    op.execute("DELETE FROM photos WHERE status = 'dropped'")
    _allow(*OLD)
    for column in ("render_seconds", "batch_size", "alone", "expires_at"):
        op.drop_column("photos", column)
