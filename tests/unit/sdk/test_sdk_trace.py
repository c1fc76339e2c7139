"""@trace and start_span: what arrives at a real receiver, and that the user's code is unchanged."""

import asyncio
import contextvars
import functools
import inspect
import json
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from otlp_receiver import Receiver

import tracelake
from tracelake.sdk.client import Client

pytestmark = pytest.mark.usefixtures("client")

ERROR, OK = 2, 1


def sent(receiver: Receiver) -> Receiver:
    assert tracelake.flush(10)
    return receiver


class Agent:
    @tracelake.trace(span_type="AGENT")
    def run(self, question: str, top_k: int = 3) -> str:
        return f"{question}:{top_k}"

    @tracelake.trace
    @classmethod
    def of_class(cls, value: int) -> tuple[str, int]:
        return cls.__name__, value

    @classmethod
    @tracelake.trace
    def inside_classmethod(cls, value: int) -> int:
        return value

    @tracelake.trace(name="static one")
    @staticmethod
    def of_static(value: int) -> int:
        return value + 1


def test_methods_of_every_kind(receiver: Receiver) -> None:
    assert Agent().run("why") == "why:3"
    assert Agent.of_class(2) == ("Agent", 2)
    assert Agent.inside_classmethod(4) == 4
    assert Agent.of_static(1) == 2 == Agent().of_static(1)
    spans = sent(receiver)
    run = spans.named("run")
    assert run.inputs == {"question": "why", "top_k": 3}
    assert run.outputs == "why:3"
    assert run.attributes["mlflow.spanType"] == "AGENT"
    assert run.attributes["mlflow.spanFunctionName"] == "run"
    assert run.status == OK
    assert spans.named("of_class").inputs == {"value": 2}
    assert spans.named("inside_classmethod").inputs == {"value": 4}
    assert [span.outputs for span in spans.spans if span.name == "static one"] == [2, 2]


def test_arguments_of_every_kind(receiver: Receiver) -> None:
    @tracelake.trace
    def many(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> int:
        return a + b + sum(rest) + c + sum(more.values())

    @tracelake.trace
    def wrong(a: int) -> int:
        return a

    assert many(1, 2, 5, 6, d=7) == 24
    with pytest.raises(TypeError, match="unexpected keyword"):
        wrong(1, b=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    spans = sent(receiver)
    assert spans.named("many").inputs == {"a": 1, "b": 2, "rest": [5, 6], "c": 3, "more": {"d": 7}}
    assert spans.named("wrong").inputs == {"a": 1, "b": 2}
    assert spans.named("wrong").status == ERROR


def test_signature_and_kind_stay() -> None:
    def plain(a: int, b: str = "x") -> bool:
        """Says yes."""
        return bool(a and b)

    async def coroutine() -> None: ...
    def generator() -> Generator[int, None, None]:
        yield 1

    async def async_generator() -> AsyncGenerator[int, None]:
        yield 1

    traced = tracelake.trace(plain)
    assert inspect.signature(traced) == inspect.signature(plain)
    assert traced.__doc__ == "Says yes."
    assert traced.__name__ == "plain"
    assert inspect.iscoroutinefunction(tracelake.trace(coroutine))
    assert inspect.isgeneratorfunction(tracelake.trace(generator))
    assert inspect.isasyncgenfunction(tracelake.trace(async_generator))
    assert tracelake.trace(functools.partial(plain, 1))() is True


def test_exceptions_are_recorded_and_pass_unchanged(receiver: Receiver) -> None:
    problem = LookupError("no such booking \ud800")

    @tracelake.trace
    def fails() -> None:
        raise problem

    @tracelake.trace
    def outer() -> str:
        try:
            fails()
        except LookupError:
            return "handled"
        return "not reached"

    assert outer() == "handled"
    with pytest.raises(LookupError) as caught, tracelake.start_span("block"):
        raise problem
    assert caught.value is problem
    spans = sent(receiver)
    failed = spans.named("fails")
    assert failed.status == ERROR
    assert failed.status_message == "LookupError: no such booking \ufffd"
    name, attributes = failed.events[0]
    assert name == "exception"
    assert attributes["exception.type"] == "LookupError"
    assert "raise problem" in attributes["exception.stacktrace"]
    assert spans.named("outer").status == OK
    assert spans.named("block").status == ERROR


def test_exceptions_whose_text_raises(receiver: Receiver) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    @tracelake.trace
    def fails() -> None:
        raise Odd

    with pytest.raises(Odd):
        fails()
    assert sent(receiver).named("fails").status == ERROR


async def test_nesting_across_tasks(receiver: Receiver) -> None:
    @tracelake.trace
    async def leaf(number: int) -> int:
        await asyncio.sleep(0.001 * (5 - number))
        return number

    @tracelake.trace
    async def branch(number: int) -> int:
        return sum(await asyncio.gather(leaf(number), leaf(number + 1)))

    assert await asyncio.gather(branch(0), branch(2)) == [1, 5]
    spans = sent(receiver)
    branches = {span.span_id: span for span in spans.spans if span.name == "branch"}
    leaves = [span for span in spans.spans if span.name == "leaf"]
    assert len({span.trace_id for span in spans.spans}) == 2
    for leaf_span in leaves:
        parent = branches[leaf_span.parent_id or ""]
        assert leaf_span.trace_id == parent.trace_id
        assert leaf_span.inputs["number"] in (
            parent.inputs["number"],
            parent.inputs["number"] + 1,
        )


async def test_cancelled_tasks_end_their_span(receiver: Receiver) -> None:
    started = asyncio.Event()

    @tracelake.trace
    async def waits() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sent(receiver).named("waits").status == ERROR


def test_nesting_across_threads(receiver: Receiver) -> None:
    @tracelake.trace
    def work(number: int) -> int:
        return number * 2

    @tracelake.trace
    def outer() -> list[int]:
        with ThreadPoolExecutor(2) as pool:
            context = [contextvars.copy_context() for _ in range(3)]
            jobs = [pool.submit(context[i].run, work, i) for i in range(3)]
            return [job.result() for job in jobs]

    def alone() -> None:
        work(9)

    assert outer() == [0, 2, 4]
    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    spans = sent(receiver)
    root = spans.named("outer")
    works = [span for span in spans.spans if span.name == "work"]
    assert [span.parent_id for span in works if span.inputs != {"number": 9}] == [root.span_id] * 3
    assert [span.parent_id for span in works if span.inputs == {"number": 9}] == [None]


def test_generators_are_one_span_with_joined_output(receiver: Receiver) -> None:
    @tracelake.trace
    def inner() -> None: ...
    @tracelake.trace(span_type="LLM")
    def words(count: int) -> Generator[str, str | None, str]:
        for number in range(count):
            inner()
            yield f"w{number} "
        return "last"

    @tracelake.trace
    def reader() -> None: ...

    stream = words(3)
    got: list[str] = []
    for _ in range(3):
        got.append(next(stream))
        reader()
        assert tracelake.get_current_active_span() is None
    with pytest.raises(StopIteration) as stop:
        next(stream)
    assert stop.value.value == "last"
    assert got == ["w0 ", "w1 ", "w2 "]
    spans = sent(receiver)
    span = spans.named("words")
    assert span.outputs == "w0 w1 w2 "
    assert span.status == OK
    assert 0 <= span.attributes["tracelake.stream.time_to_first_item_ms"] < 1000
    assert span.attributes["tracelake.stream.item_count"] == 3
    assert {s.parent_id for s in spans.spans if s.name == "inner"} == {span.span_id}
    assert {s.parent_id for s in spans.spans if s.name == "reader"} == {None}


def test_generators_take_send_throw_and_close(receiver: Receiver) -> None:
    closed: list[str] = []

    @tracelake.trace
    def echo() -> Generator[str, str, None]:
        received = "start"
        try:
            while True:
                try:
                    received = yield received
                except KeyError:
                    received = "caught"
        finally:
            closed.append("yes")

    stream = echo()
    assert next(stream) == "start"
    assert stream.send("a") == "a"
    assert stream.throw(KeyError("k")) == "caught"
    stream.close()
    assert closed == ["yes"]
    span = sent(receiver).named("echo")
    assert span.outputs == "startacaught"
    assert span.status == OK


def test_generators_that_fail_or_hold_a_span_open(receiver: Receiver) -> None:
    @tracelake.trace
    def fails() -> Generator[dict[str, int], None, None]:
        with tracelake.start_span("held"):
            yield {"a": 1}
            with tracelake.start_span("under held"):
                yield {"a": 2}
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(fails())
    spans = sent(receiver)
    failed = spans.named("fails")
    assert failed.status == ERROR
    assert failed.outputs == [{"a": 1}, {"a": 2}]
    assert spans.named("held").parent_id == failed.span_id
    assert spans.named("under held").parent_id == spans.named("held").span_id


async def test_async_generators(receiver: Receiver) -> None:
    @tracelake.trace(output_reducer=lambda items: {"n": len(items)})
    async def numbers(count: int) -> AsyncGenerator[int, None]:
        for number in range(count):
            await asyncio.sleep(0)
            yield number

    @tracelake.trace
    async def words() -> AsyncGenerator[str, None]:
        yield "one "
        yield "two"

    async def read(count: int) -> list[int]:
        return [number async for number in numbers(count)]

    assert await asyncio.gather(read(2), read(4)) == [[0, 1], [0, 1, 2, 3]]
    early = words()
    assert await anext(early) == "one "
    await early.aclose()
    spans = sent(receiver)
    counts = sorted(span.outputs["n"] for span in spans.spans if span.name == "numbers")
    assert counts == [2, 4]
    assert spans.named("words").outputs == "one "
    assert spans.named("words").status == OK


def test_a_live_span_takes_everything(receiver: Receiver) -> None:
    values: dict[str, Any] = {
        "flag": True,
        "count": 3,
        "share": 0.5,
        "raw": b"\x00\xff",
        "list": ["a", 1, None],
        "map": {"deep": {"x": [1.5]}},
        "big": 1 << 70,
    }
    with tracelake.start_span("live", "TOOL", {"a": 1}) as span:
        span.set_inputs({"q": 1})
        span.set_outputs([1, 2])
        span.set_attributes(values)
        span.set_span_type("RETRIEVER")
        span.record_exception(KeyError("gone"))
        current = tracelake.get_current_active_span()
        assert current is not None
        assert (current.span_id, current.trace_id) == (span.span_id, span.trace_id)
        assert (span.inputs, span.outputs, span.parent_id) == ({"q": 1}, [1, 2], None)
    with tracelake.start_span("told", span_type="TOOL") as told:
        told.set_status("ERROR", "tool said no")
    spans = sent(receiver)
    live = spans.named("live")
    assert live.trace_id == span.trace_id
    assert live.attributes["mlflow.spanType"] == "RETRIEVER"
    assert live.attributes["a"] == 1
    expected = values | {"big": str(1 << 70)}
    assert {key: live.attributes[key] for key in values} == expected
    assert [event[0] for event in live.events] == ["exception"]
    assert live.status == ERROR
    told_span = spans.named("told")
    assert (told_span.status, told_span.status_message) == (ERROR, "tool said no")


def test_facts_of_the_trace_go_to_its_root(receiver: Receiver, client: Client) -> None:
    seen: list[str] = []

    @tracelake.trace
    def inner() -> None:
        tracelake.update_current_trace(
            tags={"env": "prod", "n": 3},
            metadata={"build": "7"},
            session_id="s-1",
            user="u-1",
            client_request_id="r-1",
            request_preview="asked",
            response_preview="told",
        )

    @tracelake.trace
    def outer() -> None:
        inner()
        span = tracelake.get_current_active_span()
        assert span is not None
        seen.append(span.trace_id)
        tracelake.set_trace_tag(span.trace_id, "late", "yes")

    outer()
    assert tracelake.get_last_active_trace_id() == seen[0]
    assert tracelake.get_last_active_trace_id(thread_local=True) == seen[0]
    root = sent(receiver).named("outer")
    assert root.attributes["mlflow.traceTag.env"] == "prod"
    assert root.attributes["mlflow.traceTag.n"] == "3"
    assert root.attributes["mlflow.traceTag.late"] == "yes"
    assert root.attributes["tracelake.trace.metadata.build"] == "7"
    assert root.attributes["session.id"] == "s-1"
    assert root.attributes["user.id"] == "u-1"
    assert root.attributes["tracelake.trace.client_request_id"] == "r-1"
    assert root.attributes["tracelake.trace.request_preview"] == "asked"
    assert root.attributes["tracelake.trace.response_preview"] == "told"
    assert "session.id" not in receiver.named("inner").attributes
    tracelake.update_current_trace(tags={"outside": "1"})


def test_a_span_of_the_users_own_provider_is_linked_not_a_parent(receiver: Receiver) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    theirs = TracerProvider().get_tracer("theirs")
    with theirs.start_as_current_span("request") as foreign, tracelake.start_span("ours"):
        assert tracelake.get_current_active_span() is not None
    span = sent(receiver).named("ours")
    context = foreign.get_span_context()
    assert span.parent_id is None
    assert span.links == [f"{context.span_id:016x}"]
    assert span.trace_id != f"tr-{context.trace_id:032x}"


def test_a_remote_parent_stays_the_parent(receiver: Receiver) -> None:
    from opentelemetry import context as otel_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    header = f"00-{'1' * 32}-{'2' * 16}-01"
    token = otel_context.attach(TraceContextTextMapPropagator().extract({"traceparent": header}))
    with tracelake.start_span("server side"):
        pass
    otel_context.detach(token)
    span = sent(receiver).named("server side")
    assert (span.trace_id, span.parent_id) == ("tr-" + "1" * 32, "2" * 16)


def test_inputs_that_json_does_not_know(receiver: Receiver) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    circle: list[Any] = []
    circle.append(circle)

    @tracelake.trace
    def odd(**values: Any) -> Any:
        return values["big"]

    big = "x" * 1_000_000
    odd(hostile=Hostile(), circle=circle, nan=float("nan"), raw=b"\x00", text="\ud83d", big=big)
    span = sent(receiver).named("odd")
    values = json.loads(span.attributes["mlflow.spanInputs"])["values"]
    assert "whose repr raised RuntimeError" in values["hostile"]
    assert values["circle"] == ["<circular reference>"]
    assert values["nan"] == {"$double": "NaN"}
    assert values["raw"] == {"$bytes": "AA=="}
    assert values["text"] == "\ufffd"
    assert values["big"] == big
    assert span.outputs == big
