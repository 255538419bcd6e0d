"""Overrides: refused gates that a person let pass, each for one run."""

import sqlalchemy as sa
from alembic import op

revision = "v0_3_0"
down_revision = "v0_2_0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "overrides",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=255), nullable=False),
        sa.Column("report", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_overrides_tenant")),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_overrides_run")),
        sa.ForeignKeyConstraint(["report"], ["artifacts.id"], name=op.f("fk_overrides_report")),
        sa.PrimaryKeyConstraint("tenant", "run", "position", name=op.f("pk_overrides")),
    )


def downgrade() -> None:
    op.drop_table("overrides")
