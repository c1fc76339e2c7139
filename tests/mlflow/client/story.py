"""Logs the same traces to any server, and prints what reads back, without what chance decides.

python story.py http://127.0.0.1:5050
"""

import json
import os
import re
import sys

os.environ |= {
    "MLFLOW_TRACKING_URI": sys.argv[1],
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

from mlflow.entities import SpanEvent, SpanType

import mlflow

START_NS = 1_790_000_000_123_456_789
SECOND_NS = 1_000_000_000
VALUES = {
    "whole": 7, "part": 0.1, "yes": True, "text": "日本語", "json": '{"a": 1}', "digits": "12",
    "quoted": '"x"', "null": "null", "list": [1, "a", None], "map": {"k": {"l": [True]}}, "none": None,
    "empty": "", "no items": [], "no members": {},
}  # fmt: skip


def log(name, inputs=None, outputs=None, *, seconds=2.5, children=(), status="OK", **more):
    number = log.count = getattr(log, "count", 0) + 1
    begin = START_NS + number * 60 * SECOND_NS
    root = mlflow.start_span_no_context(name, inputs=inputs, start_time_ns=begin, **more)
    for n, child in enumerate(children):
        at = begin + (n + 1) * SECOND_NS // 10
        span = mlflow.start_span_no_context(
            child.get("name", f"child {n}"),
            span_type=child.get("type"),
            parent_span=root,
            inputs=child.get("inputs"),
            attributes=child.get("attributes"),
            start_time_ns=at,
        )
        for event in child.get("events", ()):
            span.add_event(SpanEvent(event, timestamp=at, attributes={"n": 1, "l": ["a"]}))
        span.end(
            outputs=child.get("outputs"),
            status=child.get("status", "OK"),
            end_time_ns=at + SECOND_NS // 20,
        )
    root.end(outputs=outputs, status=status, end_time_ns=begin + int(seconds * SECOND_NS))
    return root.trace_id


def usage(inputs, outputs, **more):
    told = {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": inputs + outputs}
    return {"mlflow.chat.tokenUsage": told | more}


def tell():
    chat = {
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "what?"}]
    }
    reply = {"choices": [{"message": {"role": "assistant", "content": "that."}}]}
    priced = {"mlflow.llm.model": "gpt-4o-mini", "mlflow.llm.provider": "openai"}
    return [
        log("plain", {"q": 1}, {"a": 2}),
        log("values", VALUES, [VALUES], attributes=VALUES),
        log("bare"),
        log("words", "just text", "an answer"),
        log("long", {"q": "x" * 3000}, "y" * 3000),
        log("chat", chat, reply, children=[{"type": SpanType.CHAT_MODEL, "inputs": chat, "outputs": reply}]),
        log("responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
            {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ho"}]}]}),
        log("failed", {"q": 1}, status="ERROR", children=[{"status": "ERROR", "events": ["exception"]}]),
        log("handled", {"q": 1}, 5, children=[{"status": "ERROR"}]),
        log("tokens", 1, 2, children=[{"type": "LLM", "attributes": usage(100, 50) | priced},
                                      {"type": "LLM", "attributes": usage(10, 5, cache_read_input_tokens=4)}]),
        log("told twice", 1, 2, attributes=usage(7, 3), children=[{"type": "LLM", "attributes": usage(7, 3) | priced}]),
        log("own price", 1, 2, children=[{"attributes": usage(1, 1) | {
            "mlflow.llm.cost": {"input_cost": 0.5, "output_cost": 0.25, "total_cost": 0.75}}}]),
        log("unknown model", 1, 2, children=[{"attributes": usage(1, 1) | {"mlflow.llm.model": "nobody's"}}]),
        log("tagged", 1, 2, tags={"env": "prod", "long": "t" * 5000}, metadata={"git": "abc", "long": "m" * 400,
            "mlflow.trace.session": "s-1", "mlflow.trace.user": "ann"}),
        log("events", 1, 2, children=[{"events": ["one", "two"]}, {"name": "same"}, {"name": "same"}]),
        log("instant", 1, 2, seconds=0),
        log("short", 1, 2, seconds=0.0004),
    ]  # fmt: skip


def main():
    experiment_id = mlflow.set_experiment(f"story-{os.urandom(6).hex()}").experiment_id
    ids = tell()
    mlflow.log_feedback(
        trace_id=ids[0], name="score", value=0.5, rationale="so so", metadata={"a": "b"}
    )
    mlflow.log_expectation(trace_id=ids[0], name="wanted", value={"a": [1]})
    chance = {}
    traces = [mlflow.get_trace(trace_id) for trace_id in ids]
    for n, trace in enumerate(traces):
        chance[trace.info.trace_id.removeprefix("tr-")] = f"TRACE{n}"
        for k, span in enumerate(trace.data.spans):
            chance[span.span_id] = f"SPAN{n}.{k}"
    found = mlflow.search_traces(
        experiment_ids=[experiment_id], return_type="list", max_results=100
    )
    told = {
        "one by one": [told_of(trace) for trace in traces],
        "found": [told_of(trace) for trace in found],
    }
    place = f"mlflow-artifacts:/{experiment_id}/"
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    for known, word in chance.items():
        text = re.sub(rf"(?<![0-9a-zA-Z]){known}(?![0-9a-zA-Z])", word, text)
    print(text.replace(place, "mlflow-artifacts:/EXPERIMENT/"))


def told_of(trace):
    info = trace.info
    return {
        "info": {
            "trace_id": info.trace_id,
            "location": info.trace_location.type,
            "request_time": info.request_time,
            "execution_duration": info.execution_duration,
            "state": str(info.state),
            "request_preview": info.request_preview,
            "response_preview": info.response_preview,
            "client_request_id": info.client_request_id,
            "tags": info.tags,
            "trace_metadata": {k: sized(k, v) for k, v in info.trace_metadata.items()},
            "token_usage": info.token_usage,
            "cost": getattr(info, "cost", None),
            "assessments": [assessed(each) for each in info.assessments],
        },
        "spans": [
            {
                "name": span.name,
                "span_id": span.span_id,
                "parent_id": span.parent_id,
                "span_type": span.span_type,
                "start_time_ns": span.start_time_ns,
                "end_time_ns": span.end_time_ns,
                "status": [str(span.status.status_code), span.status.description],
                "inputs": span.inputs,
                "outputs": span.outputs,
                "attributes": dict(span.attributes),
                "events": [[e.name, e.timestamp, dict(e.attributes)] for e in span.events],
                "links": [str(link) for link in getattr(span, "links", None) or []],
            }
            for span in trace.data.spans
        ],
    }


def sized(key, value):
    """How large a trace is in bytes is the client's to say, and differs by its ids alone."""
    return "…" if key.startswith("mlflow.trace.size") else value


def assessed(told):
    return [
        told.name,
        told.value,
        told.rationale,
        told.metadata,
        told.valid,
        told.source.source_type,
        told.overrides,
    ]


if __name__ == "__main__":
    main()
