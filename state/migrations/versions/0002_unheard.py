"""Who was merged away and not heard yet is found by whom it was merged into."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UNHEARD = sa.text("dirty = 2")


def upgrade() -> None:
    op.create_index(
        "ix_record_unheard",
        "record",
        ["sync_id", "side", "merged_into"],
        unique=False,
        sqlite_where=UNHEARD,
        postgresql_where=UNHEARD,
    )


def downgrade() -> None:
    op.drop_index("ix_record_unheard", table_name="record")
