"""what photos showed and how they were received, how often people want them, workflow inputs of a photo

Revision: 0003, after 0002. The version before goes on working: new columns have defaults, and it never reads the
new table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photos", sa.Column("inputs", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("people", sa.Column("photo_frequency", sa.String(8), server_default="normal", nullable=False))
    op.create_check_constraint(
        op.f("ck_people_photo_frequency"),
        "people",
        "photo_frequency IN ('often', 'normal', 'rarely', 'asked', 'never')",
    )
    op.create_table(
        "photo_moments",
        sa.Column("photo_id", sa.BigInteger(), nullable=False),
        sa.Column("dialogue_id", sa.BigInteger(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("scene", postgresql.JSONB(), nullable=False),
        sa.Column("take", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("reaction", sa.String(8), nullable=True),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reaction IN ('liked', 'disliked')", name=op.f("ck_photo_moments_reaction")),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name=op.f("fk_photo_moments_photo_id_photos"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dialogue_id"],
            ["dialogues.id"],
            name=op.f("fk_photo_moments_dialogue_id_dialogues"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_photo_moments")),
    )
    op.create_index("ix_photos_owner_id_queued_at", "photos", ["owner_id", "queued_at"])
    op.create_index("ix_photo_moments_dialogue_id", "photo_moments", ["dialogue_id", "photo_id"])


def downgrade() -> None:
    op.drop_index("ix_photos_owner_id_queued_at", "photos")
    op.drop_table("photo_moments")
    op.drop_constraint(op.f("ck_people_photo_frequency"), "people")
    op.drop_column("people", "photo_frequency")
    op.drop_column("photos", "inputs")
