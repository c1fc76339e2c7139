"""The first schema.

Written out, not taken from `schema.py`: a migration must go on doing what it did.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_COUNTERS = (
    "sequence",
    "trace_key",
    "experiment",
    "index_segment",
    "indexed_facts",
    "indexed_text",
    "artifact_file",
    "webhook_delivery",
)

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_traces()
    _create_index()
    _create_assessments()
    _create_error_states()
    _create_bookkeeping()
    _create_agents()
    _create_runs()
    _create_models()
    _create_evaluation()
    _create_artifacts()
    _create_principals()
    _create_reviews()
    _create_webhooks()


def _create_traces() -> None:
    experiments = op.create_table(
        "experiments",
        sa.Column("experiment_id", Key, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
        sa.Column("artifact_location", sa.Text),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.UniqueConstraint("name", name="uq_experiments_name"),
    )
    op.bulk_insert(
        experiments,
        [
            {
                "experiment_id": 0,
                "name": "Default",
                "tags": {},
                "creation_time_ms": 0,
                "last_update_time_ms": 0,
                "is_deleted": False,
            }
        ],
    )
    op.create_table(
        "traces",
        sa.Column("trace_key", Key, primary_key=True, autoincrement=False),
        sa.Column("trace_id", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("chunk_count", sa.Integer, nullable=False),
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_traces_experiment_id"),
            nullable=False,
        ),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger),
        sa.Column("root_span_id", sa.LargeBinary),
        sa.Column("name", sa.Text),
        sa.Column("request_preview", sa.Text),
        sa.Column("response_preview", sa.Text),
        sa.Column("client_request_id", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("tags", Json, nullable=False),
        sa.Column("trace_metadata", Json, nullable=False),
        sa.Column("span_count", sa.Integer, nullable=False),
        sa.Column("error_count", sa.Integer, nullable=False),
        *_usage_and_cost(),
        sa.Column("told", Json),
        sa.UniqueConstraint("trace_id", name="uq_traces_trace_id"),
    )
    op.create_index("ix_traces_seq", "traces", ["seq"], unique=True)
    op.create_index(
        "ix_traces_experiment_start", "traces", ["experiment_id", "start_ns", "trace_key"]
    )
    op.create_index("ix_traces_start", "traces", ["start_ns", "trace_key"])
    op.create_index("ix_traces_session", "traces", ["session_id", "start_ns"])
    op.create_table(
        "spans",
        sa.Column("trace_key", Key, nullable=False),
        sa.Column("span_id", sa.LargeBinary, nullable=False),
        sa.Column("parent_id", sa.LargeBinary),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("span_type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger),
        sa.Column("model", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("tool", sa.Text),
        sa.Column("error", sa.Text),
        *_usage_and_cost(),
        sa.Column("chunk_id", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("trace_key", "span_id", name="pk_spans"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chunks",
        sa.Column("chunk_id", Key, primary_key=True, autoincrement=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("payload_slices", sa.LargeBinary),
        sa.Column("large_values", sa.LargeBinary),
    )
    _never_compress("chunks", "payload", "payload_slices")


def _create_index() -> None:
    op.create_table(
        "stale_versions",
        sa.Column("seq", Key, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "index_segments",
        sa.Column("segment_id", Key, primary_key=True, autoincrement=False),
        sa.Column("index_name", sa.Text, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("doc_count", sa.Integer, nullable=False),
    )
    op.create_table(
        "index_columns",
        sa.Column("segment_id", Key, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("segment_id", "name", name="pk_index_columns"),
    )
    op.create_table(
        "index_blocks",
        sa.Column("segment_id", Key, nullable=False),
        sa.Column("last_term", sa.LargeBinary, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("segment_id", "last_term", name="pk_index_blocks"),
    )
    _never_compress("index_columns", "content")
    _never_compress("index_blocks", "content")


def _create_assessments() -> None:
    op.create_table(
        "assessments",
        sa.Column("assessment_id", sa.Text, primary_key=True),
        sa.Column("trace_key", Key, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", Json),
        sa.Column("error", Json),
        sa.Column("source_type", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("span_id", sa.LargeBinary),
        sa.Column("rationale", sa.Text),
        sa.Column("assessment_metadata", Json, nullable=False),
        sa.Column("overrides", sa.Text),
        sa.Column("valid", sa.Boolean, nullable=False),
        sa.Column("create_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_assessments_trace", "assessments", ["trace_key"])


def _create_error_states() -> None:
    op.create_table(
        "error_states",
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_error_states_experiment_id"),
            nullable=False,
        ),
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "pattern", name="pk_error_states"),
    )


def _create_bookkeeping() -> None:
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in _COUNTERS])
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
    )


def _create_agents() -> None:
    op.create_table(
        "agent_packages",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "agent_versions",
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("experiment_id", sa.Text),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("manifest", Json, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("agent_name", "version", name="pk_agent_versions"),
        sa.ForeignKeyConstraint(
            ["sha256"], ["agent_packages.sha256"], name="fk_agent_versions_sha256"
        ),
    )
    op.create_table(
        "endpoints",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("agent_version", sa.Integer, nullable=False),
        sa.Column("experiment_id", sa.Text, nullable=False),
        sa.Column("environment", Json, nullable=False),
        sa.Column("home_id", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_name", "agent_version"],
            ["agent_versions.agent_name", "agent_versions.version"],
            name="fk_endpoints_agent_version",
        ),
    )
    op.create_index("ix_endpoints_agent", "endpoints", ["agent_name"])


def _never_compress(table: str, *columns: str) -> None:
    """Save PostgreSQL the trial: what these columns hold is compressed."""
    if op.get_bind().dialect.name == "postgresql":
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER {column} SET STORAGE EXTERNAL")


def _usage_and_cost() -> list[sa.Column[Any]]:
    tokens = (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    )
    costs = ("input_cost", "output_cost", "total_cost")
    return [sa.Column(name, sa.BigInteger) for name in tokens] + [
        sa.Column(name, sa.Float(53)) for name in costs
    ]


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_runs_experiment_id"),
            nullable=False,
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("start_time_ms", sa.BigInteger, nullable=False),
        sa.Column("end_time_ms", sa.BigInteger),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.Column("params", Json, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("model_inputs", Json, nullable=False),
        sa.Column("model_outputs", Json, nullable=False),
    )
    op.create_index(
        "ix_runs_experiment_start", "runs", ["experiment_id", "start_time_ms", "run_id"]
    )
    op.create_table(
        "run_metrics",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("is_nan", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "key", "timestamp_ms", "step", "value", "is_nan", name="pk_run_metrics"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latest_metrics",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("is_nan", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "key", name="pk_latest_metrics"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_datasets",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("source_type", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("schema", sa.Text),
        sa.Column("profile", sa.Text),
        sa.Column("tags", Json, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", "digest", name="pk_run_datasets"),
    )


def _create_models() -> None:
    op.create_table(
        "logged_models",
        sa.Column("model_id", sa.Text, primary_key=True),
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_logged_models_experiment_id"),
            nullable=False,
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("model_type", sa.Text, nullable=False),
        sa.Column("source_run_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.Column("params", Json, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_logged_models_experiment", "logged_models", ["experiment_id", "creation_time_ms"]
    )
    op.create_table(
        "model_metrics",
        sa.Column("model_id", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("is_nan", sa.Boolean, nullable=False),
        sa.Column("dataset_name", sa.Text),
        sa.Column("dataset_digest", sa.Text),
    )
    op.create_index("ix_model_metrics_model", "model_metrics", ["model_id", "key"])
    op.create_table(
        "registered_models",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "model_versions",
        sa.Column(
            "name",
            sa.Text,
            sa.ForeignKey(
                "registered_models.name",
                name="fk_model_versions_name",
                onupdate="CASCADE",
                ondelete="CASCADE",
            ),
            nullable=False,
        ),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("run_link", sa.Text, nullable=False),
        sa.Column("model_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_model_versions"),
    )
    op.create_table(
        "model_aliases",
        sa.Column(
            "name",
            sa.Text,
            sa.ForeignKey(
                "registered_models.name",
                name="fk_model_aliases_name",
                onupdate="CASCADE",
                ondelete="CASCADE",
            ),
            nullable=False,
        ),
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", "alias", name="pk_model_aliases"),
    )


def _create_evaluation() -> None:
    op.create_table(
        "scorers",
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_scorers_experiment_id"),
            nullable=False,
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("scorer_id", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "name", "version", name="pk_scorers"),
    )
    op.create_table(
        "scorer_configs",
        sa.Column("scorer_id", sa.Text, primary_key=True),
        sa.Column("config_id", sa.Text, nullable=False),
        sa.Column("experiment_id", Key, nullable=False),
        sa.Column("sample_rate", sa.Float(53), nullable=False),
        sa.Column("filter", sa.Text),
    )
    op.create_table(
        "evaluation_datasets",
        sa.Column("dataset_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("created_by", sa.Text),
        sa.Column("last_updated_by", sa.Text),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dataset_experiments",
        sa.Column(
            "dataset_id",
            sa.Text,
            sa.ForeignKey(
                "evaluation_datasets.dataset_id",
                name="fk_dataset_experiments_dataset_id",
                ondelete="CASCADE",
            ),
            nullable=False,
        ),
        sa.Column("experiment_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "experiment_id", name="pk_dataset_experiments"),
    )
    op.create_index("ix_dataset_experiments_experiment", "dataset_experiments", ["experiment_id"])
    op.create_table(
        "dataset_records",
        sa.Column("record_id", sa.Text, primary_key=True),
        sa.Column(
            "dataset_id",
            sa.Text,
            sa.ForeignKey(
                "evaluation_datasets.dataset_id",
                name="fk_dataset_records_dataset_id",
                ondelete="CASCADE",
            ),
            nullable=False,
        ),
        sa.Column("inputs_hash", sa.LargeBinary, nullable=False),
        sa.Column("inputs", Json, nullable=False),
        sa.Column("outputs", Json),
        sa.Column("expectations", Json),
        sa.Column("tags", Json, nullable=False),
        sa.Column("source", Json),
        sa.Column("created_by", sa.Text),
        sa.Column("last_updated_by", sa.Text),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_dataset_records_inputs", "dataset_records", ["dataset_id", "inputs_hash"], unique=True
    )


def _create_artifacts() -> None:
    op.create_table(
        "artifact_files",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("file_id", Key, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("modified_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "artifact_pieces",
        sa.Column("file_id", Key, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("written_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("file_id", "number", name="pk_artifact_pieces"),
    )
    _never_compress("artifact_pieces", "content")
    op.create_table(
        "artifact_uploads",
        sa.Column("file_id", Key, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "artifact_parts",
        sa.Column(
            "file_id",
            Key,
            sa.ForeignKey(
                "artifact_uploads.file_id", name="fk_artifact_parts_file_id", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger),
        sa.PrimaryKeyConstraint("file_id", "number", name="pk_artifact_parts"),
    )


def _create_principals() -> None:
    op.create_table(
        "principals",
        sa.Column("principal_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("is_service", sa.Boolean, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("name", name="uq_principals_name"),
    )
    op.create_table(
        "credentials",
        sa.Column("secret_hash", sa.LargeBinary, primary_key=True),
        sa.Column("credential_id", sa.Text, nullable=False),
        sa.Column(
            "principal_id",
            sa.Text,
            sa.ForeignKey(
                "principals.principal_id", name="fk_credentials_principal_id", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.UniqueConstraint("credential_id", name="uq_credentials_credential_id"),
    )
    op.create_table(
        "shared_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )


def _create_reviews() -> None:
    op.create_table(
        "issues",
        sa.Column("issue_id", sa.Text, primary_key=True),
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_issues_experiment_id"),
            nullable=False,
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("severity", sa.Text),
        sa.Column("root_causes", Json, nullable=False),
        sa.Column("categories", Json, nullable=False),
        sa.Column("source_run_id", sa.Text),
        sa.Column("created_by", sa.Text),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "label_schemas",
        sa.Column("schema_id", sa.Text, primary_key=True),
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_label_schemas_experiment_id"),
            nullable=False,
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("input", Json, nullable=False),
        sa.Column("instruction", sa.Text),
        sa.Column("enable_comment", sa.Boolean, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("experiment_id", "name", name="uq_label_schemas_name"),
    )
    op.create_table(
        "review_queues",
        sa.Column("queue_id", sa.Text, primary_key=True),
        sa.Column(
            "experiment_id",
            Key,
            sa.ForeignKey("experiments.experiment_id", name="fk_review_queues_experiment_id"),
            nullable=False,
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("queue_type", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text),
        sa.Column("users", Json, nullable=False),
        sa.Column("schema_ids", Json, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("experiment_id", "name", name="uq_review_queues_name"),
    )
    op.create_table(
        "review_items",
        sa.Column(
            "queue_id",
            sa.Text,
            sa.ForeignKey(
                "review_queues.queue_id", name="fk_review_items_queue_id", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("item_type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("completed_by", sa.Text),
        sa.Column("completed_time_ms", sa.BigInteger),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("queue_id", "item_id", name="pk_review_items"),
    )
    op.create_index("ix_review_items_item", "review_items", ["item_id"])


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("paused_until_ms", sa.BigInteger, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("last_update_time_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("number", Key, primary_key=True),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column(
            "webhook_id",
            sa.Text,
            sa.ForeignKey(
                "webhooks.webhook_id", name="fk_webhook_deliveries_webhook_id", ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("creation_time_ms", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_webhook_deliveries_order", "webhook_deliveries", ["webhook_id", "number"])
