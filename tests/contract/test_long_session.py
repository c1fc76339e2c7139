"""A session of very many traces is read by page, with or without the index, from an index."""

from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.spans import make_span, public_id, write
from tracelake.store.open import Store

TRACES = 5000


@pytest.fixture
def session_store(store: Store) -> Store:
    for first in range(1, TRACES + 1001, 1000):
        spans = [
            make_span(n, 1, name="turn", session__id="long" if n <= TRACES else f"s{n}")
            for n in range(first, first + 1000)
        ]
        for span in spans:
            span.start_time_unix_nano += int.from_bytes(span.trace_id) // 3
        write(store, *spans)
    return store


def test_every_trace_of_the_session_once(session_store: Store) -> None:
    assert _walk(session_store) == [public_id(n) for n in _newest_first()]
    while session_store.indexer.index_facts():
        pass
    assert _walk(session_store) == [public_id(n) for n in _newest_first()]
    page = session_store.analytics.find_sessions(filter="session = 'long'")
    assert [(found.session_id, found.trace_count) for found in page.sessions] == [("long", TRACES)]


def test_its_pages_come_from_an_index(session_store: Store) -> None:
    plans: list[str] = []

    def explain(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        driver = connection.connection.cursor()
        how = "EXPLAIN QUERY PLAN " if session_store.database.is_sqlite else "EXPLAIN "
        if statement.startswith("SELECT") and "FROM traces" in statement:
            driver.execute(how + statement, parameters)
            plans.append("\n".join(str(row) for row in driver.fetchall()))
        driver.close()

    engine = session_store.database.engine
    if not session_store.database.is_sqlite:
        with engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE traces")
    event.listen(engine, "before_cursor_execute", explain)
    try:
        session_store.traces.find_traces(filter="session = 's5500'")
        session_store.analytics.find_sessions(filter="session = 's5500'")
    finally:
        event.remove(engine, "before_cursor_execute", explain)
    assert plans
    for plan in plans:
        assert "ix_traces" in plan, plan


def _newest_first() -> list[int]:
    # Three traces start at the same moment; among them the order is that of their ids.
    return sorted(range(1, TRACES + 1), key=lambda n: (-(n // 3), n))


def _walk(store: Store) -> list[str]:
    found: list[str] = []
    token: str | None = None
    while True:
        page = store.traces.find_traces(
            filter="session = 'long'", max_results=500, page_token=token
        )
        found += [info.trace_id for info in page.traces]
        token = page.next_page_token
        if token is None:
            return found
