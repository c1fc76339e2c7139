"""Spans that OpenTelemetry's own exporter sends, read by the client of MLflow."""

import json
import os

import pytest
from mlflow.entities import TraceState
from mlflow.entities.span import SpanStatusCode
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import StatusCode

import mlflow


class Sender:
    def __init__(self, headers, compression=Compression.NoCompression, resource=None):
        self.results = []
        exporter = OTLPSpanExporter(
            os.environ["TRACKING_URI"] + "/v1/traces", headers=headers, compression=compression
        )
        export = exporter.export

        def watched(spans):
            self.results.append(export(spans))
            return self.results[-1]

        exporter.export = watched
        self.provider = TracerProvider(resource=Resource(resource or {}))
        self.provider.add_span_processor(SimpleSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("tests")


def trace_of(span):
    return mlflow.get_trace(f"tr-{span.get_span_context().trace_id:032x}")


@pytest.mark.parametrize("compression", list(Compression))
def test_a_trace_reads_back(experiment_id, compression):
    sender = Sender({"x-mlflow-experiment-id": experiment_id}, compression)
    told = {"text": "x", "whole": 3, "part": 1.5, "yes": True, "list": ["a", "b"]}
    root_span = sender.tracer.start_as_current_span("root", attributes=told)
    with root_span as root, sender.tracer.start_as_current_span("child") as child:
        child.add_event("event", {"a": 1})
        child.set_status(StatusCode.ERROR, "bad")
    assert set(sender.results) == {SpanExportResult.SUCCESS}
    trace = trace_of(root)
    first, second = trace.data.spans
    assert (trace.info.experiment_id, trace.info.state) == (experiment_id, TraceState.OK)
    assert {key: first.attributes[key] for key in told} == told
    assert (second.parent_id, second.status.description) == (first.span_id, "bad")
    assert second.status.status_code == SpanStatusCode.ERROR
    assert [(e.name, dict(e.attributes)) for e in second.events] == [("event", {"a": 1})]


def test_conventions_are_read(experiment_id):
    sender = Sender(
        {"x-mlflow-experiment-id": experiment_id},
        resource={"service.name": "shop", "replicas": 3},
    )
    messages = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    with (
        sender.tracer.start_as_current_span(
            "agent", attributes={"session.id": "s9", "user.id": "u9"}
        ) as root,
        sender.tracer.start_as_current_span(
            "chat",
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 12,
                "gen_ai.usage.output_tokens": 4,
                "gen_ai.input.messages": json.dumps(messages),
            },
        ),
    ):
        pass
    trace = trace_of(root)
    call = trace.data.spans[1]
    assert (call.span_type, call.inputs) == ("CHAT_MODEL", messages)
    assert trace.info.token_usage == {"input_tokens": 12, "output_tokens": 4, "total_tokens": 16}
    if hasattr(trace.info, "cost"):
        assert trace.info.cost["total_cost"] > 0
    assert trace.info.trace_metadata["mlflow.trace.session"] == "s9"
    assert trace.info.trace_metadata["mlflow.trace.user"] == "u9"
    assert (trace.info.tags["service.name"], trace.info.tags["replicas"]) == ("shop", "3")


def test_a_run_is_named_by_a_header(experiment_id):
    client = mlflow.MlflowClient()
    run_id = client.create_run(experiment_id).info.run_id
    sender = Sender({"x-mlflow-experiment-id": experiment_id, "x-mlflow-run-id": run_id})
    with sender.tracer.start_as_current_span("in a run") as span:
        pass
    found = mlflow.search_traces(run_id=run_id, return_type="list")
    assert [trace.info.trace_id for trace in found] == [trace_of(span).info.trace_id]


@pytest.mark.parametrize("headers", [{}, {"x-mlflow-experiment-id": "918273645"}])
def test_without_an_experiment_nothing_is_taken(headers):
    sender = Sender(headers)
    with sender.tracer.start_as_current_span("lost") as span:
        pass
    assert sender.results == [SpanExportResult.FAILURE]
    trace_id = f"tr-{span.get_span_context().trace_id:032x}"
    assert mlflow.get_trace(trace_id, silent=True) is None


def test_what_the_client_itself_exports_by_otlp_reads_back(experiment_id, program):
    """In these spans every attribute is the JSON text of its value."""
    printed = program(
        """
        import mlflow

        @mlflow.trace(name="tool", span_type="TOOL", attributes={"unit": "cm", "n": 5})
        def tool(x):
            mlflow.get_current_active_span().set_attributes(
                {"mlflow.llm.model": "gpt-4o", "json": '{"a": 1}', "list": [1, None, {"b": 0.5}]}
            )
            return "done"

        tool({"size": 3, "ids": [2**70]})
        tool({"size": 3})
        print("TRACE", mlflow.get_last_active_trace_id())
        """,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=os.environ["TRACKING_URI"] + "/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"x-mlflow-experiment-id={experiment_id}",
    )
    traces = mlflow.search_traces(locations=[experiment_id], return_type="list")
    assert len(traces) == 2
    for trace, inputs in zip(traces, [{"size": 3}, {"size": 3, "ids": [2**70]}], strict=True):
        [span] = trace.search_spans(span_type="TOOL")
        assert (span.inputs, span.outputs) == ({"x": inputs}, "done")
        told = {"unit": "cm", "list": [1, None, {"b": 0.5}], "mlflow.llm.model": "gpt-4o"}
        assert {key: span.attributes[key] for key in told} == told
        # As by MLflow's server: it cannot tell numbers that were told from texts.
        assert span.attributes["n"] == "5"
        assert span.attributes["json"] == '{"a": 1}'
    assert printed
