"""figures of the cards, what an operator switches and does, alerts, broadcasts, and one id through all logs

Revision: 0005, after 0004. The version before goes on working: every new column may be empty or has a default that
PostgreSQL fills in without rewriting the table, and it never reads the new tables.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_NO = sa.text("false")


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "photos": [sa.Column("trace_id", sa.Text())],
        "workers": [
            sa.Column("gpu_name", sa.Text()),
            sa.Column("vram_used", sa.BigInteger()),
            sa.Column("vram_total", sa.BigInteger()),
            sa.Column("gpu_load", sa.Float()),
            sa.Column("gpu_temperature", sa.Float()),
            sa.Column("disk_free", sa.Float()),
            sa.Column("batch_size", sa.SmallInteger()),
            sa.Column("throttled", sa.Boolean(), server_default=_NO, nullable=False),
            sa.Column("last_error", sa.Text()),
            sa.Column("last_error_at", _TIME),
            sa.Column("command", sa.Text()),
            sa.Column("command_result", sa.Text()),
        ],
        "people": [
            sa.Column("seen_at", _TIME),
            sa.Column("banned_at", _TIME),
            sa.Column("maintenance_told_at", _TIME),
        ],
        "messages": [sa.Column("model_seconds", sa.Float())],
    }


def upgrade() -> None:
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "controls",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", _TIME, server_default=_NOW, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("passed_at", _TIME, nullable=False),
        sa.Column("fired_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("worst", sa.Float(), nullable=False),
        sa.Column("told", sa.Text()),
        sa.Column("silenced_until", _TIME),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    op.create_index("ix_incidents_at", "incidents", ["at"])
    op.create_table(
        "admin_actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("admin_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), server_default="", nullable=False),
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("admin_id", sa.BigInteger(), nullable=False),
        sa.Column("from_chat_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_person_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("progress_message_id", sa.BigInteger()),
        sa.Column("lease_until", _TIME),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.CheckConstraint(
            "status IN ('draft', 'running', 'stopped', 'done')", name=op.f("ck_broadcasts_broadcast_status")
        ),
    )


def downgrade() -> None:
    for table in ("broadcasts", "admin_actions", "incidents", "alerts", "controls"):
        op.drop_table(table)
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
