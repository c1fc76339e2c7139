"""OTLP to the parts that the store takes: columns of spans, facts of traces, the payload."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelake.ingest.outcome import Refused
from tracelake.ingest.prices import PriceTable
from tracelake.ingest.split import Body, to_chunks
from tracelake.model.anyvalue import to_text
from tracelake.model.entities import SpanStatus, SpanType
from tracelake.model.preview import PREVIEW_CHARS, cut, request_preview, response_preview
from tracelake.model.semconv.failure import ERROR_CHARS, read_error
from tracelake.model.semconv.read import (
    METADATA_PREFIX,
    TAG_PREFIX,
    TRACE_PREFIX,
    SpanFacts,
    read_attributes,
    read_inputs,
    read_outputs,
)
from tracelake.model.text import storable
from tracelake.store.api import SpanRow, TraceFacts, TracePart
from tracelake.store.payload import status_word

_NAME_CHARS: Final = 1000
_KEY_CHARS: Final = 250
_TAG_VALUE_CHARS: Final = 4096
_METADATA_VALUE_CHARS: Final = 250
_SHORT: Final = 64
"""Shorter than every limit."""
_RESOURCE_TAGS: Final = 64
"""A resource with more attributes than this keeps the rest in the payload only."""
_PARSED_CHARS: Final = 4 * 1024 * 1024
"""Inputs and outputs up to this length are parsed to find the message that makes a preview."""
_MAX_TIME_NS: Final = 2**63 - 1
_ZERO_TRACE_ID: Final = bytes(16)
_ZERO_SPAN_ID: Final = bytes(8)
_NO_ID: Final = (b"", _ZERO_SPAN_ID)
_NOT_TAGS: Final = ("telemetry.", "mlflow.", "process.", "host.", "os.", "service.instance.id")


def parts_of(
    request: ExportTraceServiceRequest,
    body: bytes,
    experiment_id: int,
    prices: PriceTable,
    refused: Refused | None = None,
) -> tuple[list[TracePart], Refused]:
    """One part a trace, and the spans that cannot be stored, which are in no part: those given as
    `refused`, and more.

    `body` is what the request was parsed from. The request is not to be used any more.
    """
    builders: dict[bytes, _PartBuilder] = {}
    refused = refused or Refused()
    span_count = 0
    for resource_spans in request.resource_spans[:]:
        tags = _resource_tags(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans[:]:
            for span in scope_spans.spans[:]:
                number, span_count = span_count, span_count + 1
                head = _Head(
                    span.trace_id,
                    span.span_id,
                    span.parent_span_id,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                )
                wrong = _what_is_wrong(head)
                if wrong is not None:
                    refused.add(wrong[0], span.name, wrong[1])
                    continue
                builder = builders.get(head.trace_id)
                if builder is None:
                    builder = builders[head.trace_id] = _PartBuilder(prices)
                builder.add(number, head, span, tags)
    whole = Body(body, span_count)
    parts = [
        builder.build(trace_id, experiment_id, whole) for trace_id, builder in builders.items()
    ]
    return parts, refused


class _Head(NamedTuple):
    """Ids and times of a span: each is looked at several times, and read from it once."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    start_ns: int
    end_ns: int


class _PartBuilder:
    """Gathers what one request says about one trace."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._rows: list[SpanRow] = []
        self._numbers: list[int] = []
        self._spans: list[Span] = []
        self._root: tuple[int, bytes] | None = None
        """The earliest span without a parent, which is the trace's root (model/summary.py)."""
        self._root_facts: TraceFacts | None = None
        self._said: list[TraceFacts] = []
        """By spans that are not the root, in their order."""
        self._tags: dict[str, str] | None = None
        """The resource's, of the span that was added last."""

    def add(self, number: int, head: _Head, span: Span, tags: dict[str, str]) -> None:
        facts = read_attributes(span.attributes)
        is_root = head.parent_span_id in _NO_ID
        row = SpanRow(
            head.span_id,
            None if is_root else head.parent_span_id,
            _clean(span.name, _NAME_CHARS),
            _clean(facts.span_type, _KEY_CHARS),
            status_word(span.status),
            head.start_ns,
            head.end_ns or None,
            len(self._rows),
            _clean_word(facts.model),
            _clean_word(facts.provider),
            facts.usage,
            facts.cost,
        )
        if row.cost is None and facts.usage is not None:
            row.cost = self._prices.cost(facts.model, facts.provider, facts.usage)
        if row.span_type == SpanType.TOOL:
            row.tool = _clean_word(facts.tool or span.name)
        if row.status == SpanStatus.ERROR:
            row.error = _clean_word(read_error(span, facts), ERROR_CHARS)
        self._rows.append(row)
        self._numbers.append(number)
        self._spans.append(span)
        if is_root:
            self._add_root((head.start_ns, head.span_id), _root_facts(span, facts, tags))
        elif (
            facts.session
            or facts.user
            or facts.trace_attributes
            or (tags and tags is not self._tags)
        ):
            self._said.append(_trace_facts(facts, tags))
        self._tags = tags

    def _add_root(self, root: tuple[int, bytes], said: TraceFacts) -> None:
        if self._root is None or self._root_facts is None or root[1] == self._root[1]:
            self._root, self._root_facts = root, said
            return
        if root < self._root:
            self._root, root = root, self._root
            self._root_facts, said = said, self._root_facts
        said.name = None  # a trace is named by its root
        self._said.append(said)

    def build(self, trace_id: bytes, experiment_id: int, body: Body) -> TracePart:
        return TracePart(
            trace_id=trace_id,
            experiment_id=experiment_id,
            spans=self._rows,
            chunks=to_chunks(body, self._numbers, self._spans, self._rows),
            root_facts=self._root_facts,
            facts=_first_words(self._said),
            root_id=None if self._root is None else self._root[1],
        )


def _what_is_wrong(head: _Head) -> tuple[str, str] | None:
    """Why a span cannot be stored: a word to count by, and what to tell its sender."""
    trace_id, span_id, parent_id, start_ns, end_ns = head
    if len(trace_id) != 16 or trace_id == _ZERO_TRACE_ID:
        return "trace_id", "trace_id must be 16 bytes that are not all zero"
    if len(span_id) != 8 or span_id == _ZERO_SPAN_ID:
        return "span_id", "span_id must be 8 bytes that are not all zero"
    if len(parent_id) not in (0, 8):
        return "parent_span_id", "parent_span_id must be 8 bytes, or empty"
    if start_ns > _MAX_TIME_NS or end_ns > _MAX_TIME_NS:
        return "time", f"{max(start_ns, end_ns)} ns is after the year 2262"
    return None


def _root_facts(span: Span, facts: SpanFacts, tags: dict[str, str]) -> TraceFacts:
    said = _trace_facts(facts, tags)
    if said.request_preview is None:
        told = _beginning_of_huge(span, facts.inputs_at) or read_inputs(span, facts)
        said.request_preview = _clean_word(request_preview(told), PREVIEW_CHARS)
    if said.response_preview is None:
        told = _beginning_of_huge(span, facts.outputs_at) or read_outputs(span, facts)
        said.response_preview = _clean_word(response_preview(told), PREVIEW_CHARS)
    return said


def _beginning_of_huge(span: Span, at: int | None) -> str | None:
    """A part of a text so long that parsing it, for one line of preview, takes memory in plenty."""
    text = "" if at is None else span.attributes[at].value.string_value
    return text[:PREVIEW_CHARS] if len(text) > _PARSED_CHARS else None


def _trace_facts(facts: SpanFacts, resource_tags: dict[str, str]) -> TraceFacts:
    said = TraceFacts(
        session_id=_clean_word(facts.session), user=_clean_word(facts.user), tags=resource_tags
    )
    if not facts.trace_attributes:
        return said
    said.tags = dict(resource_tags)
    for key, value in facts.trace_attributes.items():
        if key.startswith(TAG_PREFIX):
            name = _clean(key[len(TAG_PREFIX) :], _KEY_CHARS)
            if name:
                said.tags[name] = _clean(value, _TAG_VALUE_CHARS)
        elif key.startswith(METADATA_PREFIX):
            name = _clean(key[len(METADATA_PREFIX) :], _KEY_CHARS)
            if name:
                said.metadata[name] = _clean(value, _METADATA_VALUE_CHARS)
        else:
            setter = _TRACE_FIELDS.get(key[len(TRACE_PREFIX) :])
            if setter is not None:
                setter(said, value)
    return said


def _first_words(said: Sequence[TraceFacts]) -> TraceFacts | None:
    """What some spans say together: the first word counts, of tags and metadata the last."""
    if len(said) < 2:
        return said[0] if said else None
    together = TraceFacts()
    for facts in said:
        together.name = together.name or facts.name
        together.session_id = together.session_id or facts.session_id
        together.user = together.user or facts.user
        together.client_request_id = together.client_request_id or facts.client_request_id
        together.request_preview = together.request_preview or facts.request_preview
        together.response_preview = together.response_preview or facts.response_preview
        together.tags.update(facts.tags)
        together.metadata.update(facts.metadata)
    return together


def _set_name(facts: TraceFacts, value: str) -> None:
    facts.name = _clean(value, _NAME_CHARS)


def _set_client_request_id(facts: TraceFacts, value: str) -> None:
    facts.client_request_id = _clean(value, _KEY_CHARS)


def _set_request_preview(facts: TraceFacts, value: str) -> None:
    facts.request_preview = _clean(value, PREVIEW_CHARS)


def _set_response_preview(facts: TraceFacts, value: str) -> None:
    facts.response_preview = _clean(value, PREVIEW_CHARS)


_TRACE_FIELDS: Final[dict[str, Callable[[TraceFacts, str], None]]] = {
    "name": _set_name,
    "client_request_id": _set_client_request_id,
    "request_preview": _set_request_preview,
    "response_preview": _set_response_preview,
}


def _resource_tags(resource: Resource) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in resource.attributes[:_RESOURCE_TAGS]:
        if not pair.key or pair.key.startswith(_NOT_TAGS):
            continue
        text = to_text(pair.value)
        if text is not None:
            tags[_clean(pair.key, _KEY_CHARS)] = _clean(text, _TAG_VALUE_CHARS)
    return tags


def _clean(text: str, limit: int) -> str:
    return _clean_short(text) if len(text) <= _SHORT else cut(storable(text), limit)


@lru_cache(maxsize=4096)
def _clean_short(text: str) -> str:
    """Names, types and models, which every span repeats."""
    return storable(text)


def _clean_word(text: str | None, limit: int = _KEY_CHARS) -> str | None:
    return None if text is None else _clean(text, limit)
