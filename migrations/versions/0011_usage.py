"""what the language model did for each person, by the hour; how often an answer was written anew

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _count(name: str, kind: type[sa.Integer]) -> sa.Column[int]:
    return sa.Column(name, kind(), server_default="0", nullable=False)


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=True),
        _count("calls", sa.Integer),
        _count("prompt_tokens", sa.BigInteger),
        _count("completion_tokens", sa.BigInteger),
        _count("voice_seconds", sa.Integer),
        _count("pictures", sa.Integer),
        _count("photos", sa.Integer),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_usage_person_id_people"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("pseudonym", "hour", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_person_id_hour", "usage", ["person_id", "hour"])
    op.create_index("ix_usage_hour", "usage", ["hour"])
    op.add_column("messages", sa.Column("rewrites", sa.SmallInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("messages", "rewrites")
    op.drop_index("ix_usage_hour", table_name="usage")
    op.drop_index("ix_usage_person_id_hour", table_name="usage")
    op.drop_table("usage")
