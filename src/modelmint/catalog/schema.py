"""The tables. Every row belongs to a tenant; a migration in `migrations/` stands behind every change here."""

import sqlalchemy as sa

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = sa.String(40)
_Tenant = sa.String(64)
_Name = sa.String(255)
_Time = sa.DateTime(timezone=True)


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), nullable=False)


tenants = sa.Table(
    "tenants",
    METADATA,
    sa.Column("id", _Tenant, primary_key=True),
    sa.Column("name", _Name, nullable=False),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),  # the tenant key, wrapped by the master key
    sa.Column("created_at", _Time, nullable=False),
)

artifacts = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("id", _Id, primary_key=True),
    _tenant(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", _Name, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("run", _Id, nullable=True),
    sa.Column("manifest", sa.JSON, nullable=False),  # without the facts where they are sealed
    sa.Column("sealed_facts", sa.LargeBinary, nullable=True),  # facts may quote rows: sealed under the data key
    sa.Column(
        "wrapped_key", sa.LargeBinary, nullable=True
    ),  # the data key, wrapped by the tenant key; NULL: erased or not encrypted
    sa.Column("created_at", _Time, nullable=False),
    sa.Index("ix_artifacts_tenant_kind", "tenant", "kind", "created_at"),
    sa.Index("ix_artifacts_tenant_digest", "tenant", "digest"),
)

parents = sa.Table(
    "parents",
    METADATA,
    _tenant(),
    sa.Column("child", _Id, sa.ForeignKey("artifacts.id"), primary_key=True),
    sa.Column("parent", _Id, sa.ForeignKey("artifacts.id"), primary_key=True),
    sa.Column("role", _Name, primary_key=True),
    sa.Index("ix_parents_parent", "tenant", "parent"),
)

blobs = sa.Table(
    "blobs",
    METADATA,  # which artifact holds which blob: what may be collected
    _tenant(),
    sa.Column("artifact", _Id, sa.ForeignKey("artifacts.id"), primary_key=True),
    sa.Column("path", sa.String(512), primary_key=True),
    sa.Column("blob", sa.String(64), nullable=False, index=True),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False),
)

aliases = sa.Table(
    "aliases",
    METADATA,  # names of one's own: each points to one artifact and can be moved
    sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("name", _Name, primary_key=True),
    sa.Column("artifact", _Id, sa.ForeignKey("artifacts.id"), nullable=False),
    sa.Column("changed_at", _Time, nullable=False),
    sa.Index("ix_aliases_artifact", "tenant", "artifact"),
)

pins = sa.Table(
    "pins",
    METADATA,  # what must not be removed
    sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("artifact", _Id, sa.ForeignKey("artifacts.id"), primary_key=True),
    sa.Column("reason", _Name, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
)

results = sa.Table(
    "results",
    METADATA,  # the stage cache: an identity that is here is not run again
    sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("identity", sa.String(64), primary_key=True),
    sa.Column("stage", _Name, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),  # role -> artifact id, or a list of ids
    sa.Column("run", _Id, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
)

runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("id", _Id, primary_key=True),
    _tenant(),
    sa.Column("name", _Name, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),  # the recipe as compiled: stages with specs and wiring
    sa.Column("status", sa.String(16), nullable=False),  # queued, running, succeeded, failed, refused, cancelled
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("error", sa.JSON, nullable=True),
    sa.Column("worker", _Name, nullable=True),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("started_at", _Time, nullable=True),
    sa.Column("finished_at", _Time, nullable=True),
    sa.Index("ix_runs_tenant_created", "tenant", "created_at"),
    sa.Index("ix_runs_status", "status"),
)

run_stages = sa.Table(
    "run_stages",
    METADATA,
    _tenant(),
    sa.Column("run", _Id, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", _Name, nullable=False),
    sa.Column("verb", _Name, nullable=False),
    # waiting, running, succeeded, failed, refused, overridden, cancelled
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("cached", sa.Boolean, nullable=False, default=False),
    sa.Column("seconds", sa.Float, nullable=True),
    sa.Column("outputs", sa.JSON, nullable=True),
    sa.Column("done", sa.BigInteger, nullable=False, default=0),
    sa.Column("total", sa.BigInteger, nullable=False, default=0),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("started_at", _Time, nullable=True),
)

overrides = sa.Table(
    "overrides",
    METADATA,  # refused gates that a person let pass, each for one run; never changed
    sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("run", _Id, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("stage", _Name, nullable=False),
    sa.Column("report", _Id, sa.ForeignKey("artifacts.id"), nullable=False),  # who, why and what was refused
    sa.Column("actor", _Name, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
)

workers = sa.Table(
    "workers",
    METADATA,  # leases: a worker that stops renewing its slot is dead and its runs are handed on
    sa.Column("slot", _Name, primary_key=True),
    sa.Column("host", _Name, nullable=False),
    sa.Column("process", _Name, nullable=False),  # pid and start time: a number that is not used twice
    sa.Column("renewed_at", _Time, nullable=False),
)

revisions = sa.Table(
    "revisions",
    METADATA,
    sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("endpoint", _Name, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("model", _Id, sa.ForeignKey("artifacts.id"), nullable=False),  # what was trained
    sa.Column("variant", _Id, sa.ForeignKey("artifacts.id"), nullable=False),  # what is served
    sa.Column("release", _Id, nullable=True),
    sa.Column("run", _Id, nullable=True),
    sa.Column("price", _Name, nullable=False),  # per 1,000 inputs, e.g. "0.50 USD"
    sa.Column("created_at", _Time, nullable=False),
)

deployments = sa.Table(
    "deployments",
    METADATA,
    sa.Column("tenant", _Tenant, sa.ForeignKey("tenants.id"), primary_key=True),
    sa.Column("endpoint", _Name, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("previous", sa.Integer, nullable=True),
    sa.Column("changed_at", _Time, nullable=False),
)

keys = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", _Id, primary_key=True),
    _tenant(),
    sa.Column("name", _Name, nullable=False),
    sa.Column("prefix", sa.String(16), nullable=False, unique=True),
    sa.Column("hmac", sa.LargeBinary, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("revoked_at", _Time, nullable=True),
)

data_keys = sa.Table(
    "data_keys",
    METADATA,  # keys of the encrypted logs, one a day and purpose; dropping one is erasure
    sa.Column("id", _Id, primary_key=True),
    _tenant(),
    sa.Column("purpose", _Name, nullable=False),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
    sa.UniqueConstraint("tenant", "purpose", name="uq_data_keys_tenant_purpose"),
)

predictions = sa.Table(
    "predictions",
    METADATA,
    sa.Column("id", _Id, primary_key=True),
    _tenant(),
    sa.Column("endpoint", _Name, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("data_key", _Id, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),  # inputs and predictions
    sa.Column("created_at", _Time, nullable=False),
    sa.Index("ix_predictions_endpoint", "tenant", "endpoint", "created_at"),
)

usage = sa.Table(
    "usage",
    METADATA,
    sa.Column("id", _Id, primary_key=True),  # the event's permanent id: a record counts once however often it is read
    _tenant(),
    sa.Column("key", _Id, nullable=False),
    sa.Column("endpoint", _Name, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("num_inputs", sa.Integer, nullable=False),
    sa.Column("num_tokens", sa.Integer, nullable=False),
    sa.Column("price", _Name, nullable=False),  # per 1,000 inputs, as it stood when the request was served
    sa.Column("latency_ms", sa.Float, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
    sa.Index("ix_usage_endpoint", "tenant", "endpoint", "created_at"),
)

feedback = sa.Table(
    "feedback",
    METADATA,
    sa.Column("id", _Id, primary_key=True),
    _tenant(),
    sa.Column("prediction", _Id, sa.ForeignKey("predictions.id"), nullable=False),
    sa.Column("endpoint", _Name, nullable=False),
    sa.Column("data_key", _Id, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),  # label, rating, correction, comment
    sa.Column("created_at", _Time, nullable=False),
    sa.Index("ix_feedback_endpoint", "tenant", "endpoint", "created_at"),
)

audit = sa.Table(
    "audit",
    METADATA,  # who did what: append-only
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _tenant(),
    sa.Column("actor", _Name, nullable=False),
    sa.Column("action", _Name, nullable=False),
    sa.Column("subject", _Name, nullable=False),
    sa.Column("about", sa.JSON, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
    sa.Index("ix_audit_tenant_created", "tenant", "created_at"),
)
