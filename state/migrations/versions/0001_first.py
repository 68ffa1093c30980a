"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=True),
        sa.Column("next_contact_id", sa.BigInteger(), nullable=False),
        sa.Column("next_run_id", sa.Integer(), nullable=False),
        sa.Column("staged", sa.BigInteger(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("log_nodes", sa.LargeBinary(), nullable=False),
        sa.Column("log_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync")),
        sa.UniqueConstraint("name", name=op.f("uq_sync_name")),
    )
    op.create_table(
        "change_log",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("side", sa.SmallInteger(), nullable=True),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("to_sides", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_change_log_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "seq", name=op.f("pk_change_log")),
    )
    with op.batch_alter_table("change_log", schema=None) as batch_op:
        batch_op.create_index("ix_change_log_contact", ["sync_id", "contact_id", "seq"], unique=False)
        batch_op.create_index("ix_change_log_run", ["sync_id", "run_id", "seq"], unique=False)

    op.create_table(
        "contact",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("agreed_us", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("log_key", sa.LargeBinary(), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_contact_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "id", name=op.f("pk_contact")),
    )
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.create_index(
            "ix_contact_merged",
            ["sync_id", "merged_into"],
            unique=False,
            sqlite_where=sa.text("merged_into IS NOT NULL"),
            postgresql_where=sa.text("merged_into IS NOT NULL"),
        )

    op.create_table(
        "cursor",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("polled_us", sa.BigInteger(), nullable=True),
        sa.Column("polled_ref", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_cursor_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "side", name=op.f("pk_cursor")),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("side", sa.SmallInteger(), nullable=True),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("open", sa.SmallInteger(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("opened_run", sa.Integer(), nullable=True),
        sa.Column("closed_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_hold_sync_id_sync")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.create_index(
            "ix_hold_open", ["sync_id", "contact_id"], unique=False, sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open = 1")
        )

    op.create_table(
        "lease",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("fencing", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_lease_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", name=op.f("pk_lease")),
    )
    op.create_table(
        "mapping_version",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_mapping_version_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "number", name=op.f("pk_mapping_version")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_outbox_sync_id_sync")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("sync_id", "key", name=op.f("uq_outbox_sync_id_key")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_claim", ["sync_id", "phase", "side", "kind", "id"], unique=False)
        batch_op.create_index("ix_outbox_contact", ["sync_id", "contact_id"], unique=False)

    op.create_table(
        "sent",
        sa.Column("outbox_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_sent_outbox_id_outbox"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_sent")),
    )
    op.create_table(
        "plan_chunk",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("staged", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("contacts", sa.Integer(), nullable=False),
        sa.Column("creates", sa.Integer(), nullable=False),
        sa.Column("updates", sa.Integer(), nullable=False),
        sa.Column("archives", sa.Integer(), nullable=False),
        sa.Column("blanks", sa.Integer(), nullable=False),
        sa.Column("unsubscribes", sa.Integer(), nullable=False),
        sa.Column("overwrites", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Integer(), nullable=False),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_plan_chunk_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "run_id", "number", name=op.f("pk_plan_chunk")),
    )
    op.create_table(
        "record",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("key_1", sa.Text(), nullable=True),
        sa.Column("key_2", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("shadow", sa.Text(), nullable=True),
        sa.Column("liveness", sa.SmallInteger(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("absorbed", sa.Text(), nullable=True),
        sa.Column("modified_us", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("field_times", sa.Text(), nullable=True),
        sa.Column("dirty", sa.SmallInteger(), nullable=False),
        sa.Column("staged", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at_us", sa.BigInteger(), nullable=True),
        sa.Column("pair_ref", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_record_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "side", "ref", name=op.f("pk_record")),
    )
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.create_index(
            "ix_record_contact",
            ["sync_id", "contact_id"],
            unique=False,
            sqlite_where=sa.text("contact_id IS NOT NULL"),
            postgresql_where=sa.text("contact_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_record_dirty",
            ["sync_id", "contact_id", "side", "ref"],
            unique=False,
            sqlite_where=sa.text("dirty = 1"),
            postgresql_where=sa.text("dirty = 1"),
        )
        batch_op.create_index(
            "ix_record_key_1",
            ["sync_id", "key_1"],
            unique=False,
            sqlite_where=sa.text("key_1 IS NOT NULL"),
            postgresql_where=sa.text("key_1 IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_record_key_2",
            ["sync_id", "key_2"],
            unique=False,
            sqlite_where=sa.text("key_2 IS NOT NULL"),
            postgresql_where=sa.text("key_2 IS NOT NULL"),
        )
        batch_op.create_index("ix_record_digest", ["sync_id", "side", "ref", "digest", "liveness"], unique=False)

    op.create_table(
        "run",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("mapping_version", sa.Text(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_run_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "id", name=op.f("pk_run")),
    )
    op.create_table(
        "schema_cache",
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_schema_cache_sync_id_sync")),
        sa.PrimaryKeyConstraint("sync_id", "side", name=op.f("pk_schema_cache")),
    )
    op.create_table(
        "swept",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sync_id", sa.Integer(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("refs", sa.Text(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("older", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sync_id"], ["sync.id"], name=op.f("fk_swept_sync_id_sync")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_swept")),
    )
    with op.batch_alter_table("swept", schema=None) as batch_op:
        batch_op.create_index("ix_swept_side", ["sync_id", "side"], unique=False)


def downgrade() -> None:
    for table in (
        "swept",
        "schema_cache",
        "run",
        "record",
        "plan_chunk",
        "sent",
        "outbox",
        "mapping_version",
        "lease",
        "hold",
        "cursor",
        "contact",
        "change_log",
        "sync",
    ):
        op.drop_table(table)
