"""What is in each column, read back by DuckDB, and that it is what the API tells."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lake_world import DAY_NS, NOON_NS, Lake, key_values
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracelake.lake.schemas import SPANS, TRACES
from tracelake.model.entities import AssessmentError, AssessmentSource, SourceType
from tracelake.model.wire import format_time, span_to_json, trace_to_json
from tracelake.store.api import NewAssessment

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "lake-tables.md"

AWKWARD: dict[str, Any] = {
    "mlflow.spanType": "LLM",
    "mlflow.spanInputs": '{"messages":[{"role":"user","content":"Grüße, 世界 🌍"}]}',
    "mlflow.spanOutputs": {"answer": 42, "sure": True, "list": [1, 2.5, "x"]},
    "mlflow.llm.model": "gpt-4o-mini",
    "mlflow.llm.provider": "openai",
    "mlflow.chat.tokenUsage": (
        '{"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200, '
        '"cache_read_input_tokens": 100}'
    ),
    "session.id": "s-1",
    "user.id": "zoë",
    "int": 2**62,
    "float": 1.5,
    "nan": float("nan"),
    "inf": float("-inf"),
    "bool": False,
    "bytes": b"\x00\xff",
    "text": 'quote " newline \n nul \0 emoji 🎈',
    "list": [1, "two", [3.0]],
    "map": {"a": {"b": None}},
    "tracelake.trace.client_request_id": "req-9",
    "mlflow.traceTag.grade": "A",
    "tracelake.trace.metadata.commit": "abc",
}


def decorate(request: ExportTraceServiceRequest) -> None:
    """An event, a link, an error and a kind on the first span; the second one has not ended."""
    first, second = request.resource_spans[0].scope_spans[0].spans
    first.status.code, first.status.message = Status.STATUS_CODE_ERROR, "it broke"
    first.kind = Span.SPAN_KIND_CLIENT
    first.events.add(
        name="exception",
        time_unix_nano=NOON_NS + 5000,
        attributes=key_values({"exception.type": "ValueError", "count": 3}),
    )
    first.links.add(
        trace_id=b"\x07" * 16, span_id=b"\x08" * 8, attributes=key_values({"why": "retry"})
    )
    second.end_time_unix_nano = 0


def moment(time_ns: int) -> datetime:
    seconds, rest_ns = divmod(time_ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)


@pytest.fixture
def awkward(lake: Lake) -> Lake:
    """One trace with everything on it, in both tables."""
    trace_id = lake.send(1, spans=2, attributes=AWKWARD, edit=decorate)
    source = AssessmentSource(SourceType.LLM_JUDGE, "judge-1")
    error = AssessmentError("TIMEOUT", "too slow", "trace…")
    for new in (
        NewAssessment("ok", "feedback", True, source, "because", {"k": "v"}, f"{1:016x}"),
        NewAssessment("failed", "feedback", None, source, error=error),
        NewAssessment("facts", "expectation", {"a": [1]}, source),
        NewAssessment("word", "expectation", "yes", source),
    ):
        lake.store.assessments.add(trace_id, new)
    lake.sync()
    return lake


def test_every_column_of_a_trace(awkward: Lake) -> None:
    info = awkward.store.traces.get_trace(f"tr-{1:032x}")
    row = awkward.row("SELECT * FROM traces")
    assert list(row) == TRACES.names
    spans, assessments = row.pop("spans"), row.pop("assessments")
    assert json.loads(row.pop("response")) == {"answer": 42, "sure": True, "list": [1, 2.5, "x"]}
    assert json.loads(row.pop("request")) == json.loads(AWKWARD["mlflow.spanInputs"])
    assert row == {
        "trace_id": info.trace_id,
        "client_request_id": "req-9",
        "request_time": moment(info.request_time_ns),
        "state": "ERROR",
        "execution_duration_ms": 2,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "trace_metadata": info.trace_metadata,
        "tags": info.tags,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": "0"},
            "inference_table": None,
        },
    }
    assert info.tags["grade"] == "A"
    assert info.trace_metadata["commit"] == "abc"
    assert "世界" in (info.request_preview or "")
    first = spans[0]
    assert first["span_id"] == f"{1:016x}"
    assert first["attributes"] == encoded(awkward, 0)
    assert first["start_time"] == moment(NOON_NS + 1000)
    assert (first["status_code"], first["status_message"]) == ("ERROR", "it broke")
    assert first["kind"] == "CLIENT"
    assert first["events"] == [
        {
            "name": "exception",
            "timestamp": moment(NOON_NS + 5000),
            "attributes": {"exception.type": '"ValueError"', "count": "3"},
        }
    ]
    assert first["links"][0]["span_id"] == "08" * 8
    assert first["links"][0]["attributes"] == {"why": '"retry"'}
    assert (spans[1]["end_time"], spans[1]["parent_id"]) == (None, f"{1:016x}")
    check_assessments({item["name"]: item for item in assessments})


def check_assessments(found: dict[str, dict[str, Any]]) -> None:
    assert found["ok"]["feedback"] == {"value": "true", "error": None}
    assert found["ok"]["source"] == {"source_id": "judge-1", "source_type": "LLM_JUDGE"}
    assert found["ok"]["metadata"] == {"k": "v"}
    assert found["ok"]["span_id"] == f"{1:016x}"
    assert (found["ok"]["rationale"], found["ok"]["valid"]) == ("because", True)
    assert found["ok"]["create_time"].tzinfo is not None
    assert found["failed"]["feedback"] == {
        "value": None,
        "error": {
            "error_code": "TIMEOUT",
            "error_message": "too slow",
            "stack_trace": "trace…",
        },
    }
    assert found["facts"]["expectation"] == {
        "value": None,
        "serialized_value": {"serialization_format": "JSON_FORMAT", "value": '{"a":[1]}'},
    }
    assert found["word"]["expectation"] == {"value": '"yes"', "serialized_value": None}
    assert found["word"]["feedback"] is None


def encoded(lake: Lake, at: int) -> dict[str, str]:
    """A span's attributes as the store has them, each as JSON text."""
    span = lake.store.traces.get_spans(f"tr-{1:032x}").spans[at]
    return {
        key: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for key, value in span.attributes.items()
    }


def test_every_column_of_a_span(awkward: Lake) -> None:
    row = awkward.row("SELECT * FROM spans WHERE parent_span_id IS NULL")
    assert list(row) == SPANS.names
    assert row["attributes"] == encoded(awkward, 0)
    assert row["attributes"]["nan"] == '{"$double":"NaN"}'
    assert row["attributes"]["int"] == str(2**62)
    assert json.loads(row["attributes"]["text"]) == AWKWARD["text"]
    span = awkward.store.traces.get_spans(f"tr-{1:032x}").spans[0]
    cost = span.head.cost
    assert cost is not None
    del row["attributes"]
    assert json.loads(row.pop("inputs")) == span.inputs
    assert json.loads(row.pop("outputs")) == span.outputs
    assert row == {
        "trace_id": f"tr-{1:032x}",
        "span_id": f"{1:016x}",
        "parent_span_id": None,
        "experiment_id": "0",
        "session_id": "s-1",
        "user": "zoë",
        "name": "step 1",
        "span_type": "LLM",
        "start_time": moment(NOON_NS + 1000),
        "end_time": moment(NOON_NS + 2_501_000),
        "duration_ms": 2.5,
        "status": "ERROR",
        "status_message": "it broke",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "tool": None,
        "error": "ValueError: it broke",
        "input_tokens": 1000,
        "output_tokens": 200,
        "total_tokens": 1200,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": None,
        "input_cost": cost.input_cost,
        "output_cost": cost.output_cost,
        "total_cost": cost.total_cost,
        "events": [
            {
                "name": "exception",
                "time": moment(NOON_NS + 5000),
                "attributes": {"exception.type": '"ValueError"', "count": "3"},
            }
        ],
        "links": [
            {
                "trace_id": "tr-" + "07" * 16,
                "span_id": "08" * 8,
                "attributes": {"why": '"retry"'},
            }
        ],
        "kind": "CLIENT",
        "resource": {"service.name": '"shop"'},
        "scope_name": "test.scope",
        "scope_version": "1.2",
        "request_date": date(2026, 9, 21),
    }
    child = awkward.row("SELECT * FROM spans WHERE parent_span_id IS NOT NULL")
    assert (child["end_time"], child["duration_ms"]) == (None, None)


def test_a_span_without_anything_has_nulls(lake: Lake) -> None:
    lake.send(1, first_span=2)
    lake.sync()
    row = lake.row("SELECT * FROM spans")
    empty = {name for name, value in row.items() if value is None}
    assert empty == {
        *("session_id", "user", "model", "provider", "tool", "error", "inputs", "outputs"),
        *("input_tokens", "output_tokens", "total_tokens"),
        *("cache_read_input_tokens", "cache_creation_input_tokens"),
        *("input_cost", "output_cost", "total_cost"),
    }
    trace = lake.row("SELECT * FROM traces")
    assert (trace["state"], trace["execution_duration_ms"]) == ("IN_PROGRESS", None)
    assert (trace["request"], trace["response"]) == (None, None)


def test_times_at_the_ends_of_what_is_taken(lake: Lake) -> None:
    lake.send(1, start_ns=0)
    lake.send(2, start_ns=2**63 - 1 - 10**9)
    lake.sync()
    lake.send(2, first_span=5, start_ns=0)
    lake.send(1, first_span=5, start_ns=2**63 - 1 - 10**9)
    lake.sync()
    assert lake.rows("SELECT year(request_time) FROM traces") == [(1970,), (1970,)]
    assert lake.rows("SELECT count(*) FROM spans") == [(4,)]


def test_the_tables_agree_with_the_api(awkward: Lake) -> None:
    for trace in range(2, 8):
        awkward.send(trace, spans=trace, start_ns=NOON_NS + trace * DAY_NS)
    awkward.sync()
    for info in awkward.store.traces.find_traces(max_results=100).traces:
        told = trace_to_json(info)
        row = awkward.row(f"SELECT * FROM traces WHERE trace_id = '{info.trace_id}'")
        for name in ("trace_id", "client_request_id", "state", "tags", "trace_metadata"):
            assert row[name] == told[name]
        for name in ("request_preview", "response_preview"):
            assert row[name] == told[name]
        assert (
            format_time(int(row["request_time"].timestamp()) * 10**9)[:19]
            == (told["request_time"][:19])
        )
        for span in awkward.store.traces.get_spans(info.trace_id).spans:
            told = span_to_json(span)
            row = awkward.row(
                f"SELECT * FROM spans WHERE trace_id = '{info.trace_id}' "
                f"AND span_id = '{span.head.span_id}'"
            )
            for name in ("parent_span_id", "name", "span_type", "status", "model", "provider"):
                assert row[name] == told[name]
            for name in ("kind", "status_message"):
                assert row[name] == told[name]
            decoded = {key: json.loads(value) for key, value in row["attributes"].items()}
            assert decoded == told["attributes"]


def test_every_column_is_documented() -> None:
    sections = DOCS.read_text().split("\n## ")
    for name, schema in (("traces", TRACES), ("spans", SPANS)):
        section = next(text for text in sections if text.startswith(f"`{name}`"))
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == schema.names
