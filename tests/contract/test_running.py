"""Kept summaries: one trace may be larger than all kept together may be."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from tests.spans import make_span, public_id, write
from tracelake.store import running
from tracelake.store.open import Store


def test_a_trace_larger_than_all_may_be_is_not_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_WORTH_KEEPING", 1)
    monkeypatch.setattr(running, "_KEPT_SPANS", 20)
    read: list[int] = []
    read_all = running._read  # pyright: ignore[reportPrivateUsage]

    def count(
        connection: Connection, trace_keys: list[int], from_chunk: int | None = None
    ) -> Iterator[tuple[int, running.StoredSpan]]:
        read.extend(trace_keys)
        return read_all(connection, trace_keys, from_chunk)

    monkeypatch.setattr(running, "_read", count)
    write(store, make_span(1, 1), *(make_span(1, n, 1) for n in range(2, 40)))
    for n in range(40, 44):
        write(store, make_span(1, n, 1))
    assert len(read) == 1, "kept from its second request on"
    assert store.traces.get_trace(public_id(1)).span_count == 43
