"""settings, memory, payments, personas of one's own, and originals that must go

Revision: 0004, after 0003. The version before goes on working: every new column may be empty or has a default that
PostgreSQL fills in without rewriting the table, and it never reads the new tables.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NO = sa.text("false")


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "people": [
            sa.Column("adult_refused_at", _TIME),
            sa.Column("started_with", sa.Text()),
            sa.Column("invite_code", sa.Text()),
            sa.Column("invited_by", sa.BigInteger()),
            sa.Column("blur_photos", sa.Boolean(), server_default=_NO, nullable=False),
            sa.Column("silent_photos", sa.Boolean(), server_default=_NO, nullable=False),
            sa.Column("writes_first", sa.Boolean(), server_default=_NO, nullable=False),
            sa.Column("wrote_first_at", _TIME),
            sa.Column("utc_offset", sa.SmallInteger()),
            sa.Column("limit_told_at", _TIME),
            sa.Column("premium_end_told_at", _TIME),
        ],
        "dialogues": [
            sa.Column("atmosphere_changed", sa.Boolean(), server_default=_NO, nullable=False),
            sa.Column("facts_to", sa.BigInteger(), server_default="0", nullable=False),
        ],
        "messages": [
            sa.Column("telegram_message_id", sa.BigInteger()),
            sa.Column("answered_with_next", sa.Boolean(), server_default=_NO, nullable=False),
            sa.Column("scene_before", postgresql.JSONB()),
        ],
        "photo_moments": [
            sa.Column("dislike_reason", sa.String(8)),
            sa.Column("from_pack", sa.Boolean(), server_default=_NO, nullable=False),
        ],
    }


def upgrade() -> None:
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_unique_constraint("uq_people_invite_code", "people", ["invite_code"])
    op.create_foreign_key(
        "fk_people_invited_by_people", "people", "people", ["invited_by"], ["id"], ondelete="SET NULL"
    )
    op.create_index("ix_dialogues_person_id", "dialogues", ["person_id"])
    op.create_index("ix_people_invited_by", "people", ["invited_by"])
    op.create_index(
        "ix_people_writes_first", "people", ["wrote_first_at"], postgresql_where=sa.text("writes_first")
    )
    op.create_index(
        "ix_people_premium_until",
        "people",
        ["premium_until"],
        postgresql_where=sa.text("premium_until IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_photo_id", "messages", ["photo_id"], postgresql_where=sa.text("photo_id IS NOT NULL")
    )
    op.create_check_constraint(
        op.f("ck_photo_moments_dislike_reason"),
        "photo_moments",
        "dislike_reason IN ('face', 'scene', 'quality', 'other')",
    )
    op.create_table(
        "facts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("persona", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        _of_a_person("facts"),
        sa.PrimaryKeyConstraint("id", name="pk_facts"),
    )
    op.create_index("uq_facts_person_id_persona_text", "facts", ["person_id", "persona", "text"], unique=True)
    op.create_table(
        "own_personas",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("age", sa.SmallInteger()),
        sa.Column("character", sa.Text()),
        sa.Column("looks", sa.Text()),
        sa.Column("looks_english", sa.Text()),
        sa.Column("finished_at", _TIME),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        _of_a_person("own_personas"),
        sa.CheckConstraint("age >= 21", name=op.f("ck_own_personas_adult")),
        sa.PrimaryKeyConstraint("id", name="pk_own_personas"),
    )
    op.create_index("ix_own_personas_person_id", "own_personas", ["person_id"])
    op.create_index(
        "uq_own_personas_unfinished",
        "own_personas",
        ["person_id"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "payments",
        sa.Column("charge_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("premium_until", _TIME),
        sa.Column("paid_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("thanked_at", _TIME),
        sa.Column("refunded_at", _TIME),
        _of_a_person("payments"),
        sa.PrimaryKeyConstraint("charge_id", name="pk_payments"),
    )
    op.create_index("ix_payments_person_id", "payments", ["person_id"])
    op.create_table(
        "photo_grants",
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("photos", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        _of_a_person("photo_grants"),
        sa.PrimaryKeyConstraint("cause", name="pk_photo_grants"),
    )
    op.create_index("ix_photo_grants_person_id", "photo_grants", ["person_id"])
    op.create_table(
        "discarded_objects",
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("until", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("object_key", name="pk_discarded_objects"),
    )


def downgrade() -> None:
    for table in ("discarded_objects", "photo_grants", "payments", "own_personas", "facts"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_photo_moments_dislike_reason"), "photo_moments")
    op.drop_index("ix_messages_photo_id", "messages")
    op.drop_index("ix_dialogues_person_id", "dialogues")
    op.drop_index("ix_people_premium_until", "people")
    op.drop_index("ix_people_writes_first", "people")
    op.drop_index("ix_people_invited_by", "people")
    op.drop_constraint("fk_people_invited_by_people", "people")
    op.drop_constraint("uq_people_invite_code", "people")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)


def _of_a_person(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_person_id_people"
    return sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=name, ondelete="CASCADE")
