"""the scene that went with each answer, and what is known of the language model's servers

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("scene", postgresql.JSONB(), nullable=True))
    op.create_table(
        "model_servers",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("profile", postgresql.JSONB(), nullable=False),
        sa.Column("last_answer_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_lasts", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("last_finish", sa.Text(), server_default="", nullable=False),
        sa.Column("first_text_seconds", sa.Float(), nullable=True),
        sa.Column("prompt_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_model_servers")),
    )


def downgrade() -> None:
    op.drop_table("model_servers")
    op.drop_column("messages", "scene")
