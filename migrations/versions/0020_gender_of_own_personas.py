"""whether a persona of one's own is a woman or a man: the image model has to be told

Revision: 0020, after 0019. Those that are finished stay without; the language model knew from the words.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In one statement: the new column is empty, so nothing has to be looked at.
    op.execute(
        "ALTER TABLE own_personas ADD COLUMN gender varchar(8)"
        " CONSTRAINT ck_own_personas_gender CHECK (gender IN ('woman', 'man'))"
    )


def downgrade() -> None:
    op.drop_column("own_personas", "gender")
