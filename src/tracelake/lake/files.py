"""Parquet files of one Delta table: written, and rewritten a row group at a time.

A rewrite by the Delta library holds the whole of every file it touches in memory; this one holds
one row group. Nothing here commits.
"""

import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from tracelake.lake.arrow import Column, Schema, Table, fs, pa, pc, pq

_ROW_GROUP_BYTES: Final = 4 * 1024 * 1024
"""Before compression: what a reader or a rewrite holds at once."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the table's present version, as its log describes it."""

    path: str
    size_bytes: int
    partition: date | None
    low: Any
    """Bounds of the column with statistics, at least as wide as its values; None if unknown."""
    high: Any

    def remove_action(self, partition_by: str | None, *, data_change: bool) -> RemoveAction:
        return RemoveAction(
            self.path,
            data_change,
            time.time_ns() // 1_000_000,
            self.size_bytes,
            _partition_values(partition_by, self.partition),
        )


class TableFiles:
    """Reads and writes files under one table. `partition_by` is a date column, or None."""

    def __init__(
        self, uri: str, schema: Schema, partition_by: str | None, statistics_on: str
    ) -> None:
        self._files: Any = fs.PyFileSystem(DeltaStorageHandler(uri))
        self._partition_by = partition_by
        self._statistics_on = statistics_on
        self._schema: Any = (
            schema.remove(schema.get_field_index(partition_by)) if partition_by else schema
        )

    def write_rows(self, rows: Table) -> list[AddAction]:
        """New files with these rows, one for each partition among them."""
        if self._partition_by is None:
            return self.write_file(None, _slices(rows))
        days: Column = rows.column(self._partition_by)
        return [
            action
            for day in sorted(pc.unique(days).to_pylist())
            for action in self.write_file(
                day, _slices(rows.filter(pc.equal(days, day)).drop_columns(self._partition_by))
            )
        ]

    def write_file(
        self, partition: date | None, row_groups: Iterable[Table], *, data_change: bool = True
    ) -> list[AddAction]:
        """One new file, or none where there are no rows."""
        folder = "" if partition is None else f"{self._partition_by}={partition.isoformat()}/"
        path = f"{folder}part-{uuid.uuid4()}.zstd.parquet"
        sink: Any = None
        writer: Any = None
        statistics = _Statistics(self._statistics_on)
        for rows in row_groups:
            if rows.num_rows == 0:
                continue
            if writer is None:
                sink = self._files.open_output_stream(path)
                writer = pq.ParquetWriter(sink, self._schema, compression="zstd")
            writer.write_table(rows.cast(self._schema), row_group_size=rows.num_rows)
            statistics.add(rows)
        if writer is None:
            return []
        writer.close()
        sink.close()
        info = self._files.get_file_info(path)
        return [
            AddAction(
                path,
                info.size,
                _partition_values(self._partition_by, partition),
                time.time_ns() // 1_000_000,
                data_change,
                statistics.to_json(),
            )
        ]

    def row_groups(self, path: str, without: Collection[str] = ()) -> Iterator[Table]:
        """The rows of a file, but for those of some traces."""
        unwanted = pa.array(sorted(without), pa.string())
        with self._files.open_input_file(path) as source:
            file = pq.ParquetFile(source)
            for number in range(file.num_row_groups):
                rows = file.read_row_group(number)
                if without:
                    gone = pc.is_in(rows.column("trace_id"), value_set=unwanted)
                    rows = rows.filter(pc.invert(gone))
                yield rows

    def trace_ids_in(self, path: str, among: Collection[str]) -> set[str]:
        """Which of these traces have rows in a file. Reads one column of it."""
        wanted = pa.array(sorted(among), pa.string())
        with self._files.open_input_file(path) as source:
            ids = pq.ParquetFile(source).read(columns=["trace_id"]).column("trace_id")
            return set(ids.filter(pc.is_in(ids, value_set=wanted)).to_pylist())


class _Statistics:
    """Counts, and the bounds of one time column, as a Delta log tells them."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._rows = 0
        self._nulls = 0
        self._bounds: list[datetime] = []

    def add(self, rows: Table) -> None:
        column = rows.column(self._column)
        self._rows += rows.num_rows
        self._nulls += column.null_count
        bounds = pc.min_max(column).as_py()
        if bounds["min"] is not None:
            seen = [*self._bounds, bounds["min"], bounds["max"]]
            self._bounds = [min(seen), max(seen)]

    def to_json(self) -> str:
        stats: dict[str, Any] = {
            "numRecords": self._rows,
            "nullCount": {self._column: self._nulls},
        }
        if self._bounds:
            # Readers may cut to milliseconds, so the bounds are widened to whole ones.
            low, high = self._bounds
            up = timedelta(microseconds=-high.microsecond % 1000)
            stats["minValues"] = {self._column: _time_text(low)}
            stats["maxValues"] = {self._column: _time_text(high + up)}
        return orjson.dumps(stats).decode()


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _slices(rows: Table) -> Iterator[Table]:
    """Rows in pieces that are a row group each."""
    row_bytes = rows.nbytes / max(rows.num_rows, 1)
    size = min(max(int(_ROW_GROUP_BYTES / max(row_bytes, 1)), 16), 8192)
    for at in range(0, rows.num_rows, size):
        yield rows.slice(at, size)


def _partition_values(name: str | None, value: date | None) -> dict[str, str | None]:
    return {} if name is None else {name: None if value is None else value.isoformat()}
