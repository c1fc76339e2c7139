"""What is in the lake now, told from the Delta logs alone."""

from dataclasses import dataclass

from deltalake import DeltaTable

from tracelake.lake.table import APP_ID, SPANS_TABLE, TRACES_TABLE, table_uri


@dataclass(frozen=True, slots=True)
class LakeStatus:
    seq: int
    """Both tables follow the store up to this change; 0 before the first sync."""
    traces: int
    spans: int


def read_status(lake_uri: str) -> LakeStatus:
    """Row counts and cursor. Zeros where nothing has been synced."""
    traces, trace_seq = _table(lake_uri, TRACES_TABLE.name)
    spans, span_seq = _table(lake_uri, SPANS_TABLE.name)
    return LakeStatus(min(trace_seq, span_seq), traces, spans)


def _table(lake_uri: str, name: str) -> tuple[int, int]:
    uri = table_uri(lake_uri, name)
    if not DeltaTable.is_deltatable(uri):
        return 0, 0
    table = DeltaTable(uri)
    return table.count(), table.transaction_version(APP_ID) or 0
