"""Traces by the client of MLflow: what is recorded reads back, whoever sends it, in any order."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlflow.entities import SpanEvent, SpanType, TraceState
from mlflow.entities.span import SpanStatusCode

import mlflow
from mlflow import MlflowClient, entities

OLD = tuple(map(int, mlflow.__version__.split(".")[:2])) < (3, 12)
VALUES = {
    "whole": 7, "negative": -1, "large": 2**53 + 1, "part": 0.1, "yes": True, "no": False,
    "text": "日本語 🎉", "empty": "", "list": [1, "a", None, [2]], "map": {"k": {"l": [True, 0.5]}},
    "none": None, "no items": [], "no members": {},
}  # fmt: skip


def last():
    return mlflow.get_trace(mlflow.get_last_active_trace_id())


def by_name(trace):
    return {span.name: span for span in trace.data.spans}


def test_a_decorated_function_is_a_tree_of_spans(experiment_id):
    @mlflow.trace(span_type=SpanType.TOOL, attributes={"unit": "cm"})
    def double(x):
        return x * 2

    @mlflow.trace(name="outer")
    def outer(x, y="a"):
        return {"v": double(x) + 1, "y": y}

    outer(3)
    trace = last()
    assert trace.info.experiment_id == experiment_id
    assert trace.info.state == TraceState.OK
    assert [span.name for span in trace.data.spans] == ["outer", "double"]
    root, child = trace.data.spans
    assert (root.parent_id, child.parent_id) == (None, root.span_id)
    assert (root.inputs, root.outputs) == ({"x": 3, "y": "a"}, {"v": 7, "y": "a"})
    assert (child.inputs, child.outputs) == ({"x": 3}, 6)
    assert (child.span_type, child.attributes["unit"]) == ("TOOL", "cm")
    assert trace.info.request_preview == '{"x": 3, "y": "a"}'
    assert trace.info.response_preview == '{"v": 7, "y": "a"}'
    assert trace.info.tags["mlflow.traceName"] == "outer"
    assert trace.info.trace_metadata["mlflow.trace_schema.version"] == "3"


def test_times_are_kept_to_the_nanosecond(experiment_id):
    with mlflow.start_span("timed") as span:
        time.sleep(0.01)
    trace = mlflow.get_trace(span.trace_id)
    stored = trace.data.spans[0]
    assert (stored.start_time_ns, stored.end_time_ns) == (span.start_time_ns, span.end_time_ns)
    assert trace.info.request_time == span.start_time_ns // 1_000_000
    assert trace.info.execution_duration == (span.end_time_ns - span.start_time_ns) // 1_000_000


def test_values_keep_their_types(experiment_id):
    with mlflow.start_span("values") as span:
        span.set_inputs(VALUES)
        span.set_outputs([VALUES])
        span.set_attributes(VALUES)
    stored = mlflow.get_trace(span.trace_id).data.spans[0]
    assert stored.inputs == VALUES
    assert stored.outputs == [VALUES]
    for name, value in VALUES.items():
        told = stored.get_attribute(name)
        assert told == value
        assert type(told) is type(value)


def test_a_failure_is_told_with_its_reason(experiment_id):
    @mlflow.trace
    def fails():
        raise ValueError("bad things")

    with pytest.raises(ValueError, match="bad"):
        fails()
    trace = last()
    span = trace.data.spans[0]
    assert (trace.info.state, span.status.status_code) == (TraceState.ERROR, SpanStatusCode.ERROR)
    assert "bad things" in span.status.description
    event = next(event for event in span.events if event.name == "exception")
    assert event.attributes["exception.type"] == "ValueError"
    assert "Traceback" in event.attributes["exception.stacktrace"]


def test_what_a_client_says_of_a_trace_wins(experiment_id):
    with mlflow.start_span("told") as span:
        span.set_inputs({"q": "from the span"})
        mlflow.update_current_trace(
            tags={"env": "prod", "n": 5},
            metadata={
                "git": "abc",
                "mlflow.trace.session": "s-1",
                "mlflow.trace.user": "ann",
            },
            client_request_id="req-1",
            request_preview="Q?",
            response_preview="A!",
            state="ERROR",
        )
    info = mlflow.get_trace(span.trace_id).info
    assert (info.tags["env"], info.tags["n"], info.trace_metadata["git"]) == ("prod", "5", "abc")
    assert info.trace_metadata["mlflow.trace.session"] == "s-1"
    assert info.trace_metadata["mlflow.trace.user"] == "ann"
    assert (info.client_request_id, info.request_preview) == ("req-1", "Q?")
    assert (info.response_preview, info.state) == ("A!", TraceState.ERROR)


def test_coroutines_generators_events_and_links(experiment_id):
    @mlflow.trace
    async def leaf(n):
        await asyncio.sleep(0.001)
        return n

    @mlflow.trace
    async def root():
        return await asyncio.gather(leaf(1), leaf(2))

    asyncio.run(root())
    first = last()
    assert len({span.parent_id for span in first.data.spans if span.name.startswith("leaf")}) == 1

    @mlflow.trace(output_reducer="".join)
    def pieces():
        yield from "abc"

    list(pieces())
    span = last().data.spans[0]
    chunks = [e for e in span.events if e.name.startswith("mlflow.chunk.item")]
    assert span.outputs == "abc"
    assert [json.loads(e.attributes["mlflow.chunk.value"]) for e in chunks] == ["a", "b", "c"]

    with mlflow.start_span("tells") as tells:
        tells.add_event(SpanEvent("step", attributes={"n": 1, "label": "go"}))
        if hasattr(entities, "Link"):
            tells.add_link(
                entities.Link(first.info.trace_id, first.data.spans[0].span_id, {"rel": "after"})
            )
    stored = mlflow.get_trace(tells.trace_id).data.spans[0]
    assert [(e.name, dict(e.attributes)) for e in stored.events] == [
        ("step", {"n": 1, "label": "go"})
    ]
    for link in getattr(stored, "links", []):
        assert (link.trace_id, dict(link.attributes)) == (first.info.trace_id, {"rel": "after"})


@pytest.mark.skipif(OLD, reason="this client forgets a trace when its root ends")
def test_spans_by_hand_and_one_that_ends_late(experiment_id):
    root = mlflow.start_span_no_context(
        "root", inputs={"a": 1}, tags={"t": "x"}, metadata={"m": "y"}
    )
    late = mlflow.start_span_no_context("late", parent_span=root, span_type="LLM")
    root.end(outputs=5)
    time.sleep(0.05)
    late.set_outputs("done")
    late.end()
    trace = mlflow.get_trace(root.trace_id)
    spans = by_name(trace)
    assert (spans["late"].parent_id, spans["late"].outputs) == (root.span_id, "done")
    assert (trace.info.tags["t"], trace.info.trace_metadata["m"]) == ("x", "y")


def test_traces_of_many_threads_do_not_mix(experiment_id):
    @mlflow.trace
    def leaf(n, k):
        return n, k

    @mlflow.trace
    def root(n):
        for k in range(3):
            leaf(n, k)
        return mlflow.get_active_trace_id()

    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(root, range(18)))
    assert len(set(ids)) == 18
    for n, trace_id in enumerate(ids):
        spans = mlflow.get_trace(trace_id).data.spans
        assert len(spans) == 4
        assert {span.inputs["n"] for span in spans} == {n}


@pytest.mark.parametrize("waits", ["flush", "exit"])
def test_what_is_sent_in_the_background_is_whole(experiment_id, program, waits):
    printed = program(
        f"""
        import mlflow
        mlflow.set_experiment(experiment_id="{experiment_id}")
        @mlflow.trace
        def leaf(n): return n
        @mlflow.trace
        def root(n): return [leaf(k) for k in range(n)]
        root(12)
        if "{waits}" == "flush":
            mlflow.flush_trace_async_logging()
        print("TRACE", mlflow.get_last_active_trace_id())
        """,
        MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="true",
    )
    trace = mlflow.get_trace(printed.split("TRACE ")[1].split()[0])
    assert len(trace.data.spans) == 13
    assert trace.info.state == TraceState.OK


def test_spans_of_two_processes_are_one_trace(experiment_id, program):
    tracing = pytest.importorskip("mlflow.tracing")
    if not hasattr(tracing, "get_tracing_context_headers_for_http_request"):
        pytest.skip("this client cannot pass a trace on")
    with mlflow.start_span("caller") as span:
        headers = tracing.get_tracing_context_headers_for_http_request()
        program(
            f"""
            import mlflow
            from mlflow.tracing import set_tracing_context_from_http_request_headers
            mlflow.set_experiment(experiment_id="{experiment_id}")
            with set_tracing_context_from_http_request_headers({headers!r}):
                with mlflow.start_span("callee") as span:
                    span.set_inputs({{"remote": True}})
            """
        )
    spans = by_name(mlflow.get_trace(span.trace_id))
    assert set(spans) == {"caller", "callee"}
    assert spans["callee"].parent_id == span.span_id
    assert spans["callee"].inputs == {"remote": True}


def test_an_attachment_is_kept_beside_the_trace(experiment_id):
    attachments = pytest.importorskip("mlflow.tracing.attachments")
    from mlflow.tracing.client import TracingClient

    content = b"\x89PNG\r\n" + bytes(range(256)) * 5000
    with mlflow.start_span("sees") as span:
        span.set_inputs(
            {"image": attachments.Attachment(content_type="image/png", content_bytes=content)}
        )
    trace = mlflow.get_trace(span.trace_id)
    told = attachments.Attachment.parse_ref(trace.data.spans[0].inputs["image"])
    files = TracingClient()._get_artifact_repo_for_trace(trace.info)
    assert files.download_trace_attachment(told["attachment_id"]) == content


def test_a_trace_made_in_a_run_is_found_by_it(experiment_id):
    with mlflow.start_run() as run, mlflow.start_span("in a run") as span:
        pass
    info = mlflow.get_trace(span.trace_id).info
    assert info.trace_metadata["mlflow.sourceRun"] == run.info.run_id
    found = mlflow.search_traces(run_id=run.info.run_id, return_type="list")
    assert [trace.info.trace_id for trace in found] == [span.trace_id]


def test_what_is_not_there_is_told(experiment_id, refused):
    unknown = "tr-" + "0" * 31 + "1"
    assert mlflow.get_trace(unknown, silent=True) is None
    refused("RESOURCE_DOES_NOT_EXIST", lambda: MlflowClient().get_trace(unknown))


def test_deleting_traces_that_are_none_and_all_there_are(experiment_id):
    client = mlflow.MlflowClient()
    with mlflow.start_span("s"):
        pass
    assert client.delete_traces(experiment_id, trace_ids=["tr-none"]) == 0
    assert client.delete_traces(experiment_id, max_timestamp_millis=10**13) == 1


def nested(levels):
    value = "bottom"
    for level in range(levels):
        value = {"k": value} if level % 3 else [value]
    return value


HUGE_INTEGERS = [2**64 - 1, -(2**63) - 1, 2**70]


@pytest.mark.parametrize("value", [*map(nested, [29, 30, 31, 32, 36, 120, 400]), *HUGE_INTEGERS])
def test_what_no_message_can_hold_reads_back(experiment_id, value):
    with mlflow.start_span("parent") as span:
        span.set_inputs({"u": value})
        span.set_outputs(value)
        span.set_attributes({"k": value, "text": '{"a": 1}', "number": "7"})
        with mlflow.start_span("child") as child:
            child.set_inputs({"n": 1})
    found = mlflow.search_traces(locations=[experiment_id], return_type="list")
    for trace in (mlflow.get_trace(span.trace_id), *found):
        spans = by_name(trace)
        assert set(spans) == {"parent", "child"}
        stored = spans["parent"]
        assert (stored.inputs, stored.outputs) == ({"u": value}, value)
        assert stored.get_attribute("k") == value
        assert (stored.get_attribute("text"), stored.get_attribute("number")) == ('{"a": 1}', "7")
        assert spans["child"].inputs == {"n": 1}
    assert len(found) == 1


def one_call(attributes=None, inputs=None, outputs=None, usage=None):
    with mlflow.start_span("call", span_type="CHAT_MODEL", attributes=attributes) as span:
        if inputs is not None:
            span.set_inputs(inputs)
        if outputs is not None:
            span.set_outputs(outputs)
        counts = {"input_tokens": 1000, "output_tokens": 1000, "total_tokens": 2000}
        span.set_attribute("mlflow.chat.tokenUsage", counts | (usage or {}))
    return mlflow.get_trace(span.trace_id)


@pytest.mark.parametrize(
    ("told", "model"),
    [
        ({"inputs": {"model": "gpt-4o", "messages": []}}, "gpt-4o"),
        ({"inputs": {"model": ""}, "outputs": {"model": "gpt-4o"}}, "gpt-4o"),
        ({"inputs": {"model": 5}, "outputs": {"model": "gpt-4o"}}, None),
        ({"inputs": '{"model": "gpt-4o"}'}, "gpt-4o"),
        ({"inputs": [{"model": "gpt-4o"}]}, None),
        ({"inputs": {"model": "m"}, "attributes": {"gen_ai.request.model": "gpt-4o"}}, "gpt-4o"),
        ({"inputs": {"model": "gpt-4o"}, "attributes": {"mlflow.llm.model": ""}}, ""),
    ],
)
def test_the_model_of_a_call_is_found_in_what_it_was_asked(experiment_id, told, model):
    trace = one_call(**told)
    assert trace.data.spans[0].attributes.get("mlflow.llm.model") == model
    if hasattr(trace.info, "cost"):
        cost = {"input_cost": 0.0025, "output_cost": 0.01, "total_cost": 0.0125} if model else None
        assert trace.info.cost == pytest.approx(cost)
        assert trace.data.spans[0].attributes.get("mlflow.llm.cost") == pytest.approx(cost)


def test_a_count_of_none_is_a_count(experiment_id):
    usage = one_call(usage={"cache_read_input_tokens": 0}).info.token_usage
    assert usage["cache_read_input_tokens"] == 0
    assert "cache_creation_input_tokens" not in usage


@pytest.mark.parametrize("by", ["fluent", "client", "decorator"])
def test_a_trace_is_in_the_experiment_that_its_client_names(experiment_id, unique, by):
    other = MlflowClient().create_experiment(unique("other"))
    if by == "fluent":
        root = mlflow.start_span_no_context("t", experiment_id=other)
        mlflow.start_span_no_context("c", parent_span=root).end()
        root.end()
    elif by == "client":
        client = MlflowClient()
        root = client.start_trace("t", experiment_id=other)
        child = client.start_span("c", trace_id=root.trace_id, parent_id=root.span_id)
        client.end_span(child.trace_id, child.span_id)
        client.end_trace(root.trace_id)
    else:
        location = entities.trace_location.MlflowExperimentLocation(other)

        @mlflow.trace(name="c")
        def inner():
            return mlflow.get_current_active_span()

        @mlflow.trace(name="t", trace_destination=location)
        def outer():
            return inner()

        root = outer()
    for place, ids in ((other, [root.trace_id]), (experiment_id, [])):
        found = mlflow.search_traces(locations=[place], return_type="list")
        assert [trace.info.trace_id for trace in found] == ids
        assert [trace.info.experiment_id for trace in found] == [other] * len(ids)
        assert all(len(trace.data.spans) == 2 for trace in found)


def test_a_span_beyond_the_largest_request_is_taken_as_a_file(experiment_id):
    with mlflow.start_span("root") as span:
        with mlflow.start_span("large") as large:
            large.set_inputs({"text": "z" * 68_000_000})
        with mlflow.start_span("small") as small:
            small.set_inputs({"n": 1})
    spans = by_name(mlflow.get_trace(span.trace_id))
    assert set(spans) == {"root", "large", "small"}
    assert len(spans["large"].inputs["text"]) == 68_000_000
