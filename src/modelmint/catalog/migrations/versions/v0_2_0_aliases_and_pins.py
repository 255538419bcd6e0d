"""Names of one's own for artifacts, and pins that keep them."""

import sqlalchemy as sa
from alembic import op

revision = "v0_2_0"
down_revision = "v0_1_0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "aliases",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("artifact", sa.String(length=40), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_aliases_tenant")),
        sa.ForeignKeyConstraint(["artifact"], ["artifacts.id"], name=op.f("fk_aliases_artifact")),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_aliases")),
    )
    op.create_index("ix_aliases_artifact", "aliases", ["tenant", "artifact"])
    op.create_table(
        "pins",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("artifact", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_pins_tenant")),
        sa.ForeignKeyConstraint(["artifact"], ["artifacts.id"], name=op.f("fk_pins_artifact")),
        sa.PrimaryKeyConstraint("tenant", "artifact", name=op.f("pk_pins")),
    )


def downgrade() -> None:
    op.drop_table("pins")
    op.drop_table("aliases")
