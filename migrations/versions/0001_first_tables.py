"""first tables

Revision: 0001, after
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("adult_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("premium_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("reply_to_message_id", sa.BigInteger(), nullable=True),
        sa.Column("requested", sa.Boolean(), nullable=False),
        sa.Column("premium", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("words", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column(
            "orientation",
            sa.Enum(
                "portrait",
                "landscape",
                name="orientation",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("negative_prompt", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "rendering",
                "stored",
                "sending",
                "delivered",
                "unconfirmed",
                "failed",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            server_default="queued",
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("rank_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.Column("telegram_message_id", sa.BigInteger(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rendered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sending_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status <> 'delivered' OR telegram_message_id IS NOT NULL",
            name=op.f("ck_photos_delivered_has_message"),
        ),
        sa.CheckConstraint("failures >= 0 AND attempt >= 0", name=op.f("ck_photos_counters")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_photos_dedup_key")),
        sa.UniqueConstraint("key", name=op.f("uq_photos_key")),
    )
    op.create_index(
        "ix_photos_held",
        "photos",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status IN ('rendering', 'stored', 'sending')"),
    )
    op.create_index("ix_photos_owner_id_id", "photos", ["owner_id", "id"], unique=False)
    op.create_index(
        "ix_photos_queued",
        "photos",
        ["rank_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_photos_untold",
        "photos",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status IN ('failed', 'unconfirmed') AND told_at IS NULL"),
    )
    op.create_table(
        "updates",
        sa.Column("bot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("update_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("bot_id", "update_id", name=op.f("pk_updates")),
    )
    op.create_index(
        "ix_updates_handled_at",
        "updates",
        ["handled_at"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NOT NULL"),
    )
    op.create_index(
        "ix_updates_unhandled",
        "updates",
        ["bot_id", "chat_id", "update_id"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "dialogues",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("persona", sa.Text(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("scene", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("summarised_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("answers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("answers_since_photo", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gap", sa.SmallInteger(), nullable=False),
        sa.Column("story_changed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("gap > 0", name=op.f("ck_dialogues_gap")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_dialogues_person_id_people"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dialogues")),
    )
    op.create_index(
        "uq_dialogues_open",
        "dialogues",
        ["person_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("dialogue_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("person", "persona", name="role", native_enum=False, create_constraint=True, length=8),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("afterword", sa.Text(), server_default="", nullable=False),
        sa.Column("update_id", sa.BigInteger(), nullable=True),
        sa.Column("photo_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["dialogue_id"],
            ["dialogues.id"],
            name=op.f("fk_messages_dialogue_id_dialogues"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name=op.f("fk_messages_photo_id_photos"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_dialogue_id_id", "messages", ["dialogue_id", "id"], unique=False)
    op.create_index(
        "uq_messages_dialogue_id_update_id_role",
        "messages",
        ["dialogue_id", "update_id", "role"],
        unique=True,
    )


def downgrade() -> None:
    op.drop_index("uq_messages_dialogue_id_update_id_role", table_name="messages")
    op.drop_index("ix_messages_dialogue_id_id", table_name="messages")
    op.drop_table("messages")
    op.drop_index("uq_dialogues_open", table_name="dialogues", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_table("dialogues")
    op.drop_index("ix_updates_unhandled", table_name="updates", postgresql_where=sa.text("handled_at IS NULL"))
    op.drop_index("ix_updates_handled_at", table_name="updates", postgresql_where=sa.text("handled_at IS NOT NULL"))
    op.drop_table("updates")
    op.drop_index(
        "ix_photos_untold",
        table_name="photos",
        postgresql_where=sa.text("status IN ('failed', 'unconfirmed') AND told_at IS NULL"),
    )
    op.drop_index("ix_photos_queued", table_name="photos", postgresql_where=sa.text("status = 'queued'"))
    op.drop_index("ix_photos_owner_id_id", table_name="photos")
    op.drop_index(
        "ix_photos_held",
        table_name="photos",
        postgresql_where=sa.text("status IN ('rendering', 'stored', 'sending')"),
    )
    op.drop_table("photos")
    op.drop_table("people")
