"""The tree of a trace in columns: one page of it, read without payloads and without entities."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, or_, select

from tracelake.model.ids import parse_span_id
from tracelake.store.api import SkeletonPage
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import AnyRow, AnySelect
from tracelake.store.schema import spans

_COLUMNS: Final = (
    spans.c.span_id,
    spans.c.parent_id,
    spans.c.start_ns,
    spans.c.end_ns,
    spans.c.name,
    spans.c.span_type,
    spans.c.status,
    spans.c.model,
    spans.c.provider,
    spans.c.error,
    spans.c.input_tokens,
    spans.c.output_tokens,
    spans.c.total_tokens,
    spans.c.total_cost,
)


def skeleton_page(
    connection: Connection, trace: AnyRow, max_results: int, page_token: str | None
) -> SkeletonPage:
    query = select(*_COLUMNS).where(spans.c.trace_key == trace.trace_key)
    rows, token = page_of_spans(connection, query, trace.trace_key, max_results, page_token)
    words = _Words()
    base_ns = rows[0].start_ns if rows else trace.start_ns
    ids, parents, starts, ends, names, types, statuses, models, providers, errors, *amounts = (
        zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
    )
    inputs, outputs, totals, costs = amounts
    return SkeletonPage(
        span_count=trace.span_count,
        base_ns=base_ns,
        span_id=[span_id.hex() for span_id in ids],
        parent_span_id=[None if parent is None else parent.hex() for parent in parents],
        start_ns=[start_ns - base_ns for start_ns in starts],
        duration_ns=[
            None if end_ns is None else end_ns - start_ns
            for start_ns, end_ns in zip(starts, ends, strict=True)
        ],
        name=[words[name] for name in names],
        span_type=[words[span_type] for span_type in types],
        status=[words[status] for status in statuses],
        model=[None if model is None else words[model] for model in models],
        provider=[None if provider is None else words[provider] for provider in providers],
        error=[None if error is None else words[error] for error in errors],
        input_tokens=inputs,
        output_tokens=outputs,
        total_tokens=totals,
        total_cost=costs,
        words=list(words),
        next_page_token=token,
    )


def page_of_spans(
    connection: Connection,
    query: AnySelect,
    trace_key: int,
    max_results: int,
    page_token: str | None,
) -> tuple[Sequence[AnyRow], str | None]:
    """A page of a query on the spans of one trace, by start time and id.

    There is no index on the start: to sort 50,000 rows for each page costs less than an index
    would cost every trace (decision 010).
    """
    scope = f"spans:{trace_key}"
    if page_token is not None:
        start_ns, span_id = decode_token(page_token, scope, (int, str))
        query = query.where(
            or_(
                spans.c.start_ns > start_ns,
                and_(spans.c.start_ns == start_ns, spans.c.span_id > parse_span_id(span_id)),
            )
        )
    query = query.order_by(spans.c.start_ns, spans.c.span_id).limit(max_results + 1)
    rows = connection.execute(query).all()
    if len(rows) <= max_results:
        return rows, None
    last = rows[max_results - 1]
    return rows[:max_results], encode_token(scope, (last.start_ns, last.span_id.hex()))


class _Words(dict[str, int]):
    """Words and their numbers, in the order in which they are first asked for."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self)
        return number
