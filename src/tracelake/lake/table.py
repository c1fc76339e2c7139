"""One Delta table that follows the store: its cursor, and the one commit that takes it further.

The cursor is an application transaction in the table's own log, so rows and cursor move in the
same commit or not at all (decision 004).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from tracelake.lake.arrow import RecordBatch, Schema, Table, pa, pc
from tracelake.lake.files import StoredFile, TableFiles
from tracelake.lake.rows import span_rows, trace_rows
from tracelake.lake.schemas import SPANS, TRACES
from tracelake.model.errors import Conflict
from tracelake.store.api import TraceChange

APP_ID: Final = "tracelake"
"""Under this id each table's log carries the `seq` up to which the table follows the store."""

_MARGIN: Final = timedelta(seconds=1)
"""Statistics in a Delta log may round times; ranges are compared with this margin."""

_MIB: Final = 1024 * 1024
_SMALL_FILE_BYTES: Final = 16 * _MIB
_COMPACTED_FILE_BYTES: Final = 64 * _MIB
_KEEP_OLD_FILES_HOURS: Final = 168


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What makes one table. `place` is the column by whose range its files are told apart."""

    name: str
    schema: Schema
    place: str
    partition_by: str | None
    statistics_on: str
    rows: Callable[[list[TraceChange]], RecordBatch]


TRACES_TABLE: Final = TableSpec("traces", TRACES, "request_time", None, "request_time", trace_rows)
SPANS_TABLE: Final = TableSpec(
    "spans", SPANS, "request_date", "request_date", "start_time", span_rows
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
                partition_by=spec.partition_by,
                configuration={"delta.dataSkippingStatsColumns": spec.statistics_on},
            )
        self._table: Any = DeltaTable(uri)
        self._require_schema()
        self._files = TableFiles(uri, spec.schema, spec.partition_by, spec.statistics_on)
        self.cursor: int = self._table.transaction_version(APP_ID) or 0

    def commit(self, batches: list[RecordBatch], changed: Collection[str], cursor: int) -> None:
        """Put rows in and move the cursor, in one Delta commit.

        `batches` hold all rows of some traces; `changed` are the ids of those traces that may have
        rows in the table already, and these rows go in the same commit. Raises Conflict when the
        table has moved since it was opened; it is then unchanged.
        """
        rows = pa.Table.from_batches(batches, self.spec.schema)
        actions: list[AddAction | RemoveAction] = []
        if changed:
            for file in self._files_to_rewrite(rows, changed):
                kept = self._files.row_groups(file.path, without=changed)
                actions.extend(self._files.write_file(file.partition, kept))
                actions.append(file.remove_action(self.spec.partition_by, data_change=True))
        actions.extend(self._files.write_rows(rows))
        self._commit(actions, [Transaction(APP_ID, cursor)])
        self.cursor = cursor

    def compact(self, min_surplus_files: int) -> bool:
        """Join small files when there are so many more than partitions; whether it did."""
        small: dict[date | None, list[StoredFile]] = {}
        for file in self._stored_files():
            if file.size_bytes < _SMALL_FILE_BYTES:
                small.setdefault(file.partition, []).append(file)
        if sum(len(files) - 1 for files in small.values()) < min_surplus_files:
            return False
        actions: list[AddAction | RemoveAction] = []
        for partition, files in small.items():
            for group in _groups(files):
                joined = (rows for file in group for rows in self._files.row_groups(file.path))
                actions.extend(self._files.write_file(partition, joined, data_change=False))
                actions.extend(
                    file.remove_action(self.spec.partition_by, data_change=False) for file in group
                )
        self._commit(actions, [])
        self._table.vacuum(retention_hours=_KEEP_OLD_FILES_HOURS, dry_run=False)
        return True

    def _commit(
        self, actions: list[AddAction | RemoveAction], transactions: list[Transaction]
    ) -> None:
        # Without retries a commit follows exactly the version that was read, or fails.
        properties = CommitProperties(app_transactions=transactions, max_commit_retries=0)
        try:
            self._table.create_write_transaction(
                actions,
                "append",
                self.spec.schema,
                partition_by=self.spec.partition_by,
                commit_properties=properties,
            )
        except CommitFailedError as error:
            raise Conflict(
                f"table {self.spec.name} was changed by another process; run the sync again"
            ) from error
        self._table.update_incremental()

    def _require_schema(self) -> None:
        found = pa.schema(self._table.schema().to_arrow())
        if found.names != self.spec.schema.names:
            raise Conflict(
                f"{self._table.table_uri} is not a table of this release of Tracelake: "
                f"its columns are {', '.join(found.names)}"
            )

    def _files_to_rewrite(self, rows: Table, changed: Collection[str]) -> list[StoredFile]:
        """The files that hold rows of these traces.

        All rows of a trace have one `place`, because they are always written together. It moves
        when an earlier span arrives late, so files near the new places are looked into first, and
        all others only when some trace was not found there.
        """
        bounds = pc.min_max(rows.column(self.spec.place)).as_py()
        files = self._stored_files()
        near = [file for file in files if self._may_hold(file, bounds["min"], bounds["max"])]
        found: list[StoredFile] = []
        missing = set(changed)
        for some in (near, [file for file in files if file not in near]):
            for file in some:
                ids = self._files.trace_ids_in(file.path, changed)
                if ids:
                    found.append(file)
                    missing -= ids
            if not missing:
                break
        return found

    def _may_hold(self, file: StoredFile, low: Any, high: Any) -> bool:
        if self.spec.partition_by is not None:
            return file.partition is None or low <= file.partition <= high
        if file.low is None or file.high is None:
            return True
        return file.low - _MARGIN <= high and low <= file.high + _MARGIN

    def _stored_files(self) -> list[StoredFile]:
        log = pa.table(self._table.get_add_actions(flatten=True)).to_pylist()
        statistics_on = self.spec.statistics_on
        return [
            StoredFile(
                path=file["path"],
                size_bytes=file["size_bytes"],
                partition=_day(file.get(f"partition.{self.spec.partition_by}")),
                low=_utc(file.get(f"min.{statistics_on}")),
                high=_utc(file.get(f"max.{statistics_on}")),
            )
            for file in log
        ]


def table_uri(lake_uri: str, name: str) -> str:
    return f"{lake_uri.rstrip('/')}/{name}"


def _groups(files: list[StoredFile]) -> Iterator[list[StoredFile]]:
    """Files of one partition in groups that make one file each; a group of one is left as it is."""
    group: list[StoredFile] = []
    for file in files:
        group.append(file)
        if sum(member.size_bytes for member in group) >= _COMPACTED_FILE_BYTES:
            yield group
            group = []
    if len(group) > 1:
        yield group


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
