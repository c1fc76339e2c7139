"""The columns of the Delta tables `traces` and `spans`, as Arrow schemas.

`docs/reference/lake-tables.md` explains each column; a test keeps the two equal.
"""

from typing import Final

from tracelake.lake.arrow import pa

_TEXT: Final = pa.string()
_TIME: Final = pa.timestamp("us", "UTC")
_MAP: Final = pa.map_(pa.string(), pa.string())

_SPAN_LINK: Final = pa.struct(
    [
        ("trace_id", _TEXT),
        ("span_id", _TEXT),
        ("trace_state", _TEXT),
        ("attributes", _MAP),
        ("dropped_attributes_count", pa.int32()),
        ("flags", pa.int32()),
    ]
)
_SPAN_EVENT: Final = pa.struct([("name", _TEXT), ("timestamp", _TIME), ("attributes", _MAP)])
_TRACE_SPAN: Final = pa.struct(
    [
        ("trace_id", _TEXT),
        ("span_id", _TEXT),
        ("trace_state", _TEXT),
        ("flags", pa.int32()),
        ("name", _TEXT),
        ("kind", _TEXT),
        ("attributes", _MAP),
        ("dropped_attributes_count", pa.int32()),
        ("dropped_events_count", pa.int32()),
        ("dropped_links_count", pa.int32()),
        ("links", pa.list_(_SPAN_LINK)),
        ("parent_id", _TEXT),
        ("start_time", _TIME),
        ("end_time", _TIME),
        ("status_code", _TEXT),
        ("status_message", _TEXT),
        ("events", pa.list_(_SPAN_EVENT)),
    ]
)
_TRACE_LOCATION: Final = pa.struct(
    [
        ("type", _TEXT),
        ("mlflow_experiment", pa.struct([("experiment_id", _TEXT)])),
        ("inference_table", pa.struct([("full_table_name", _TEXT)])),
    ]
)
_EXPECTATION: Final = pa.struct(
    [
        ("value", _TEXT),
        ("serialized_value", pa.struct([("serialization_format", _TEXT), ("value", _TEXT)])),
    ]
)
_FEEDBACK: Final = pa.struct(
    [
        ("value", _TEXT),
        (
            "error",
            pa.struct([("error_code", _TEXT), ("error_message", _TEXT), ("stack_trace", _TEXT)]),
        ),
    ]
)
_ASSESSMENT: Final = pa.struct(
    [
        ("assessment_id", _TEXT),
        ("trace_id", _TEXT),
        ("name", _TEXT),
        ("source", pa.struct([("source_id", _TEXT), ("source_type", _TEXT)])),
        ("create_time", _TIME),
        ("last_update_time", _TIME),
        ("expectation", _EXPECTATION),
        ("feedback", _FEEDBACK),
        ("rationale", _TEXT),
        ("metadata", _MAP),
        ("span_id", _TEXT),
        ("valid", pa.bool_()),
    ]
)

TRACES: Final = pa.schema(
    [
        ("trace_id", _TEXT),
        ("client_request_id", _TEXT),
        ("request_time", _TIME),
        ("state", _TEXT),
        ("execution_duration_ms", pa.int64()),
        ("request_preview", _TEXT),
        ("response_preview", _TEXT),
        ("request", _TEXT),
        ("response", _TEXT),
        ("trace_metadata", _MAP),
        ("tags", _MAP),
        ("trace_location", _TRACE_LOCATION),
        ("spans", pa.list_(_TRACE_SPAN)),
        ("assessments", pa.list_(_ASSESSMENT)),
    ]
)
"""One row a trace, in the columns of MLflow's synced trace table."""

SPANS: Final = pa.schema(
    [
        ("trace_id", _TEXT),
        ("span_id", _TEXT),
        ("parent_span_id", _TEXT),
        ("experiment_id", _TEXT),
        ("session_id", _TEXT),
        ("user", _TEXT),
        ("name", _TEXT),
        ("span_type", _TEXT),
        ("start_time", _TIME),
        ("end_time", _TIME),
        ("duration_ms", pa.float64()),
        ("status", _TEXT),
        ("status_message", _TEXT),
        ("model", _TEXT),
        ("provider", _TEXT),
        ("tool", _TEXT),
        ("error", _TEXT),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("total_tokens", pa.int64()),
        ("cache_read_input_tokens", pa.int64()),
        ("cache_creation_input_tokens", pa.int64()),
        ("input_cost", pa.float64()),
        ("output_cost", pa.float64()),
        ("total_cost", pa.float64()),
        ("inputs", _TEXT),
        ("outputs", _TEXT),
        ("attributes", _MAP),
        ("events", pa.list_(pa.struct([("name", _TEXT), ("time", _TIME), ("attributes", _MAP)]))),
        (
            "links",
            pa.list_(pa.struct([("trace_id", _TEXT), ("span_id", _TEXT), ("attributes", _MAP)])),
        ),
        ("kind", _TEXT),
        ("resource", _MAP),
        ("scope_name", _TEXT),
        ("scope_version", _TEXT),
        ("request_date", pa.date32()),
    ]
)
"""One row a span. `request_date`, the day (UTC) its trace began, is the partition."""
