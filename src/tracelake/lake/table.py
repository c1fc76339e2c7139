"""One Delta table that follows the store: its cursor, and the one commit that takes it further.

The cursor is an application transaction in the table's own log, so rows and cursor move in the
same commit or not at all (decision 004).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError

from tracelake.lake.arrow import Column, RecordBatch, Schema, Table, pa, pc
from tracelake.lake.rows import span_rows, trace_rows
from tracelake.lake.schemas import SPANS, TRACES
from tracelake.model.errors import Conflict
from tracelake.store.api import TraceChange

APP_ID: Final = "tracelake"
"""Under this id each table's log carries the `seq` up to which the table follows the store."""

_PAD: Final = timedelta(seconds=1)
"""Statistics in a Delta log round times to the millisecond; a range with this margin is safe."""

_MIB: Final = 1024 * 1024
_SMALL_FILE_BYTES: Final = 16 * _MIB
_COMPACTED_FILE_BYTES: Final = 64 * _MIB
_KEEP_OLD_FILES_HOURS: Final = 168
_ROW_GROUP_BYTES: Final = 2 * _MIB
"""Before compression. A rewrite has dozens of row groups in memory at once, so they are small."""
_COMPRESSION: Final = 8
"""About how much larger rows are in memory than in a file."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What makes one table: `place` is the column by whose range its files are told apart."""

    name: str
    schema: Schema
    place: str
    partition_by: tuple[str, ...]
    statistics_on: str
    rows: Callable[[list[TraceChange]], RecordBatch]


TRACES_TABLE: Final = TableSpec("traces", TRACES, "request_time", (), "request_time", trace_rows)
SPANS_TABLE: Final = TableSpec(
    "spans", SPANS, "request_date", ("request_date",), "start_time", span_rows
)


class LakeTable:
    """An open table. One process at a time may commit; a second one's commit is refused."""

    def __init__(self, spec: TableSpec, lake_uri: str) -> None:
        self.spec = spec
        uri = table_uri(lake_uri, spec.name)
        if not DeltaTable.is_deltatable(uri):
            DeltaTable.create(
                uri,
                spec.schema,
                mode="ignore",
                partition_by=list(spec.partition_by) or None,
                configuration={"delta.dataSkippingStatsColumns": spec.statistics_on},
            )
        self._table: Any = DeltaTable(uri)
        self._require_schema()
        self.cursor = self._table.transaction_version(APP_ID) or 0

    def commit(self, rows: list[RecordBatch], changed: Collection[str], cursor: int) -> None:
        """Put `rows` in and move the cursor, in one Delta commit.

        `rows` holds all rows of some traces; `changed` are the ids of those traces that may have
        rows in the table already, and these rows go in the same commit. Raises Conflict when the
        table has moved since it was opened; it is then unchanged.
        """
        data = pa.Table.from_batches(rows, self.spec.schema)
        writer = _writer(data.nbytes / max(data.num_rows, 1))
        predicate = self._rows_to_replace(data, changed) if changed else None
        properties = CommitProperties(
            app_transactions=[Transaction(APP_ID, cursor)], max_commit_retries=0
        )
        try:
            if predicate is None:
                write_deltalake(
                    self._table,
                    data,
                    mode="append",
                    writer_properties=writer,
                    commit_properties=properties,
                )
            else:
                write_deltalake(
                    self._table,
                    data,
                    mode="overwrite",
                    predicate=predicate,
                    writer_properties=writer,
                    commit_properties=properties,
                )
        except CommitFailedError as error:
            raise Conflict(
                f"table {self.spec.name} was changed by another process; run the sync again"
            ) from error
        self.cursor = cursor

    def compact(self, min_surplus_files: int) -> bool:
        """Join small files when there are so many more than partitions; whether it did."""
        files = pa.table(self._table.get_add_actions(flatten=True)).to_pylist()
        if self._surplus(files) < min_surplus_files:
            return False
        row_bytes = (
            sum(file["size_bytes"] for file in files)
            * _COMPRESSION
            / max(sum(file["num_records"] for file in files), 1)
        )
        try:
            self._table.optimize.compact(
                target_size=_COMPACTED_FILE_BYTES,
                max_concurrent_tasks=1,
                writer_properties=_writer(row_bytes),
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except CommitFailedError as error:
            raise Conflict(f"table {self.spec.name} was changed during compaction") from error
        self._table.vacuum(retention_hours=_KEEP_OLD_FILES_HOURS, dry_run=False)
        return True

    def _require_schema(self) -> None:
        found = pa.schema(self._table.schema().to_arrow())
        if found.names != self.spec.schema.names:
            raise Conflict(
                f"{self._table.table_uri} is not a table of this release of Tracelake: "
                f"its columns are {', '.join(found.names)}"
            )

    def _rows_to_replace(self, data: Table, changed: Collection[str]) -> str | None:
        """A predicate that takes in all rows of the changed traces, old and new, and no others.

        All rows of a trace have one `place`, because they are always written together. It moves
        when an earlier span arrives late, so the old one is looked up: near the new ones first,
        which reads few files, and then everywhere.
        """
        place = self.spec.place
        new_range = _range(data.column(place))
        found = self._find(changed, new_range)
        if len(pc.unique(found.column("trace_id"))) < len(set(changed)):
            found = self._find(changed, None)
        if found.num_rows == 0:
            return None
        old_range = _range(found.column(place))
        low, high = min(new_range[0], old_range[0]), max(new_range[1], old_range[1])
        ids = set(data.column("trace_id").to_pylist()) | set(changed)
        return (
            f"{place} >= {_literal(low)} AND {place} <= {_literal(high)} "
            f"AND trace_id IN ({', '.join(_literal(trace_id) for trace_id in sorted(ids))})"
        )

    def _find(self, changed: Collection[str], near: tuple[Any, Any] | None) -> Table:
        """`trace_id` and place of the rows of these traces; `near` narrows where to look."""
        field, place = pc.field("trace_id"), pc.field(self.spec.place)
        wanted = field.isin(pa.array(sorted(changed), pa.string()))
        if near is not None:
            wanted = (place >= pa.scalar(near[0])) & (place <= pa.scalar(near[1])) & wanted
        return self._table.to_pyarrow_dataset().to_table(
            columns=["trace_id", self.spec.place], filter=wanted
        )

    def _surplus(self, files: list[dict[str, Any]]) -> int:
        small: dict[tuple[Any, ...], int] = {}
        for file in files:
            if file["size_bytes"] < _SMALL_FILE_BYTES:
                key = tuple(file[f"partition.{name}"] for name in self.spec.partition_by)
                small[key] = small.get(key, 0) + 1
        return sum(count - 1 for count in small.values())


def table_uri(lake_uri: str, name: str) -> str:
    return f"{lake_uri.rstrip('/')}/{name}"


def _writer(row_bytes: float) -> WriterProperties:
    """How files are written whose rows take so many bytes in memory."""
    rows = min(max(int(_ROW_GROUP_BYTES / max(row_bytes, 1)), 16), 8192)
    return WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=rows)


def _range(column: Column) -> tuple[Any, Any]:
    """Lowest and highest value, with a margin where they are times."""
    bounds = pc.min_max(column).as_py()
    low, high = bounds["min"], bounds["max"]
    if isinstance(low, datetime):
        return low - _PAD, high + _PAD
    return low, high


def _literal(value: str | date | datetime) -> str:
    """A value in the SQL of a Delta predicate. Ids are hex digits: nothing to escape."""
    text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
    return f"'{text}'"
