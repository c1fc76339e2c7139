"""The tables, once, for SQLite and PostgreSQL. What each is for stands in docs/reference/schema.md.

Ids are raw bytes; `trace_key` is the short number that joins a trace to its spans and chunks.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

JsonColumn = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# SQLite only makes INTEGER PRIMARY KEY the row's own number; BIGINT would be an extra index.
Key = BigInteger().with_variant(Integer(), "sqlite")

experiments = Table(
    "experiments",
    metadata,
    Column("experiment_id", Key, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("tags", JsonColumn, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    Column("artifact_location", Text),
    Column("is_deleted", Boolean, nullable=False),
    UniqueConstraint("name", name="uq_experiments_name"),
)

traces = Table(
    "traces",
    metadata,
    Column("trace_key", Key, primary_key=True, autoincrement=False),
    Column("trace_id", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_traces_experiment_id"),
        nullable=False,
    ),
    Column("state", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger),
    Column("root_span_id", LargeBinary),
    Column("name", Text),
    Column("request_preview", Text),
    Column("response_preview", Text),
    Column("client_request_id", Text),
    Column("session_id", Text),
    Column("user_id", Text),
    Column("tags", JsonColumn, nullable=False),
    Column("trace_metadata", JsonColumn, nullable=False),
    Column("span_count", Integer, nullable=False),
    Column("error_count", Integer, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("total_tokens", BigInteger),
    Column("cache_read_input_tokens", BigInteger),
    Column("cache_creation_input_tokens", BigInteger),
    Column("input_cost", Float(53)),
    Column("output_cost", Float(53)),
    Column("total_cost", Float(53)),
    # What a client said of the trace itself, which spans that come later do not overrule.
    Column("told", JsonColumn),
    UniqueConstraint("trace_id", name="uq_traces_trace_id"),
    Index("ix_traces_seq", "seq", unique=True),
    Index("ix_traces_experiment_start", "experiment_id", "start_ns", "trace_key"),
    Index("ix_traces_start", "start_ns", "trace_key"),
    Index("ix_traces_session", "session_id", "start_ns"),
)

spans = Table(
    "spans",
    metadata,
    Column("trace_key", Key, nullable=False),
    Column("span_id", LargeBinary, nullable=False),
    Column("parent_id", LargeBinary),
    Column("name", Text, nullable=False),
    Column("span_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger),
    Column("model", Text),
    Column("provider", Text),
    Column("tool", Text),
    Column("error", Text),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("total_tokens", BigInteger),
    Column("cache_read_input_tokens", BigInteger),
    Column("cache_creation_input_tokens", BigInteger),
    Column("input_cost", Float(53)),
    Column("output_cost", Float(53)),
    Column("total_cost", Float(53)),
    Column("chunk_id", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("trace_key", "span_id", name="pk_spans"),
    # Clustered by trace: the spans of one trace lie together, and new traces append.
    sqlite_with_rowid=False,
)

# A trace's chunks are numbered trace_key << CHUNK_BITS and on: found and deleted by range. In the
# upper half of that range are the pieces of its large values, FIRST_PIECE and on.
CHUNK_BITS = 24
FIRST_PIECE = 1 << (CHUNK_BITS - 1)

chunks = Table(
    "chunks",
    metadata,
    Column("chunk_id", Key, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
    Column("payload_slices", LargeBinary),
    Column("large_values", LargeBinary),
)

stale_versions = Table(
    "stale_versions",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=False),
)

index_segments = Table(
    "index_segments",
    metadata,
    Column("segment_id", Key, primary_key=True, autoincrement=False),
    Column("index_name", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("doc_count", Integer, nullable=False),
)

index_columns = Table(
    "index_columns",
    metadata,
    Column("segment_id", Key, nullable=False),
    Column("name", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("segment_id", "name", name="pk_index_columns"),
)

# Terms are bytes, so that both engines put them in the same order.
index_blocks = Table(
    "index_blocks",
    metadata,
    Column("segment_id", Key, nullable=False),
    Column("last_term", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("segment_id", "last_term", name="pk_index_blocks"),
)

assessments = Table(
    "assessments",
    metadata,
    Column("assessment_id", Text, primary_key=True),
    Column("trace_key", Key, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", JsonColumn),
    Column("error", JsonColumn),
    Column("source_type", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("span_id", LargeBinary),
    Column("rationale", Text),
    Column("assessment_metadata", JsonColumn, nullable=False),
    Column("overrides", Text),
    Column("valid", Boolean, nullable=False),
    Column("create_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    Index("ix_assessments_trace", "trace_key"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# Secrets that all servers of a store share.
shared_keys = Table(
    "shared_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
)
