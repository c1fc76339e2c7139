"""`GET …/stream`: server-sent events (text/event-stream), resumable by their ids."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tracelake.model import wire
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.parse import with_short
from tracelake.model.ids import format_trace_id, parse_experiment_ids, parse_trace_id
from tracelake.model.permissions import Permission, requires
from tracelake.query.live.subscription import Interest, Subscription
from tracelake.query.live.tail import LiveTail
from tracelake.store.operations import Live, NewSpans
from tracelake.web.answer import encode

_HEARTBEAT_S: Final = 15.0
_TRACES_AN_EVENT: Final = 500
_MAX_SPANS: Final = 10_000

_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events"}
}
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""The second keeps nginx from holding events back."""

LastEventId = Annotated[str | None, Header(alias="last-event-id")]
AfterId = Annotated[
    str | None, Query(description="As the header Last-Event-ID, where none can be set.")
]


def router(live: Live, tail: LiveTail) -> APIRouter:
    """The streams. Comes before the routes that take `stream` for a trace's id."""
    routes = APIRouter(prefix="/api/v1/traces", tags=["traces"])

    @routes.get("/stream", response_class=StreamingResponse, responses=_EVENTS)
    @requires(Permission.READ_TRACES)
    async def stream_traces(
        filter: str = "",
        q: str = "",
        experiment_id: Annotated[list[str] | None, Query()] = None,
        after_id: AfterId = None,
        last_event_id: LastEventId = None,
    ) -> StreamingResponse:
        """New and changed traces that match, as events; at most four a second."""
        numbers = parse_experiment_ids(experiment_id)
        interest = Interest(
            with_short(filter, q), None if numbers is None else tuple(map(str, numbers))
        )
        after_seq = _seq(last_event_id or after_id)
        subscription = await tail.subscribe(interest, after_seq)
        return _answer(_trace_events(tail, subscription, after_seq))

    @routes.get("/{trace_id}/stream", response_class=StreamingResponse, responses=_EVENTS)
    @requires(Permission.READ_TRACES)
    async def stream_trace(
        trace_id: str, after_id: AfterId = None, last_event_id: LastEventId = None
    ) -> StreamingResponse:
        """One trace as it grows: its info, and the heads of spans that came or changed."""
        after = _seq(last_event_id or after_id)
        public_id = format_trace_id(parse_trace_id(trace_id))
        # Subscribed before it is read, so that no change falls in between.
        subscription = await tail.subscribe(Interest(trace_id=public_id))
        try:
            first = await run_in_threadpool(live.read_spans, public_id, after, max_spans=_MAX_SPANS)
        except BaseException:
            tail.unsubscribe(subscription)
            raise
        return _answer(_span_events(live, tail, subscription, public_id, first))

    return routes


async def _trace_events(
    tail: LiveTail, subscription: Subscription, after_seq: int | None
) -> AsyncGenerator[bytes]:
    start = subscription.seq if after_seq is None else after_seq
    try:
        yield _event("open", b'{"seq":%d}' % start, start)
        while not subscription.is_over:
            batch = await subscription.take(_HEARTBEAT_S)
            if batch is None:
                yield _heartbeat(subscription.seq)
                continue
            if batch.is_behind:
                yield _event("behind", b'{"seq":%d}' % batch.seq)
            for at in range(0, len(batch.traces), _TRACES_AN_EVENT):
                some = batch.traces[at : at + _TRACES_AN_EVENT]
                yield _event("traces", b'{"traces":[%b]}' % b",".join(some))
            yield b"id: %d\n\n" % batch.seq
    finally:
        tail.unsubscribe(subscription)


async def _span_events(
    live: Live, tail: LiveTail, subscription: Subscription, trace_id: str, found: NewSpans
) -> AsyncGenerator[bytes]:
    try:
        while True:
            kind = "behind" if found.is_cut else "trace"
            position = found.trace.position
            yield _event(kind, _trace_body(found), position)
            changed = await subscription.take(_HEARTBEAT_S)
            while changed is None:
                if subscription.is_over:
                    return
                # Nobody is told of deletion; reading the trace shows it.
                await run_in_threadpool(live.read_spans, trace_id, None, max_spans=0)
                yield _heartbeat(position)
                changed = await subscription.take(_HEARTBEAT_S)
            found = await run_in_threadpool(
                live.read_spans, trace_id, position, max_spans=_MAX_SPANS
            )
    except NotFound:
        yield _event("gone", b"{}")
    finally:
        tail.unsubscribe(subscription)


def _trace_body(found: NewSpans) -> bytes:
    return encode(
        {
            "trace": wire.trace_to_json(found.trace.info),
            "spans": [wire.span_head_to_json(head) for head in found.spans],
        }
    )


def _event(kind: str, data: bytes, event_id: int | None = None) -> bytes:
    told = b"" if event_id is None else b"id: %d\n" % event_id
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), told, data)


def _heartbeat(event_id: int) -> bytes:
    """A comment, which nobody is told of, and an id, from which a client resumes."""
    return b": still here\nid: %d\n\n" % event_id


def _answer(events: AsyncGenerator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


def _seq(event_id: str | None) -> int | None:
    if event_id is None or event_id == "":
        return None
    if not event_id.isdecimal() or len(event_id) > 18:
        raise InvalidInput(f"Last-Event-ID {event_id!r} is not one of ours: they are numbers")
    return int(event_id)
