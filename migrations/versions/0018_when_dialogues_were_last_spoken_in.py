"""when the persona last spoke in a dialogue

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dialogues", sa.Column("said_at", sa.DateTime(timezone=True), nullable=True))
    # Only those that go on are asked about.
    op.execute(
        """UPDATE dialogues SET said_at = (
            SELECT created_at FROM messages WHERE dialogue_id = dialogues.id ORDER BY id DESC LIMIT 1
        ) WHERE ended_at IS NULL AND answers > 0"""
    )


def downgrade() -> None:
    op.drop_column("dialogues", "said_at")
