"""what outlives a person, under a keyed hash

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "pseudonym", name=op.f("pk_marks")),
    )
    # Invitations that were rewarded stand under the hash already.
    op.execute(
        "INSERT INTO marks (kind, pseudonym) SELECT DISTINCT 'invited', split_part(cause, ':', 2) "
        "FROM photo_grants WHERE cause LIKE 'invited:%'"
    )


def downgrade() -> None:
    op.drop_table("marks")
