"""What a store holds, read past the API."""

from tracelake.store.open import open_store


def spans_by_trace(store_url: str) -> dict[int, int]:
    """How many spans each stored trace has; no trace and no span is there twice."""
    store = open_store(store_url)
    try:
        with store.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT trace_id, span_count FROM traces").all()
            spans = connection.exec_driver_sql(
                "SELECT count(*) FROM spans JOIN chunks USING (chunk_id)"
            ).scalar_one()
    finally:
        store.close()
    stored = {int.from_bytes(row.trace_id): row.span_count for row in rows}
    assert len(stored) == len(rows)
    assert sum(stored.values()) == spans
    return stored
