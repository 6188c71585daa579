"""the face that a person chose for a persona of their own: a picture in S3, and the words that drew it

Revision: 0021, after 0020. Without one a persona is drawn by her looks alone, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("own_personas", sa.Column("face_key", sa.Text()))
    op.add_column("own_personas", sa.Column("face_words", sa.Text()))


def downgrade() -> None:
    op.drop_column("own_personas", "face_words")
    op.drop_column("own_personas", "face_key")
