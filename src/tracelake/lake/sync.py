"""One pass of the lake sync: from the store's changes to both Delta tables, exactly once."""

import logging
import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

from tracelake.lake.arrow import RecordBatch
from tracelake.lake.table import SPANS_TABLE, TRACES_TABLE, LakeTable
from tracelake.model.errors import Conflict
from tracelake.store.api import Changes, Leases, TraceChange

LEASE: Final = "lake-sync"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """Bounds of one pass. The defaults keep the whole process under 500 MB."""

    commit_traces: int = 2000
    """At most so many traces in one Delta commit."""
    commit_bytes: int = 24 * 1024 * 1024
    """A commit is made once a table has gathered so many bytes (Arrow, in memory)."""
    read_traces: int = 200
    read_spans: int = 500
    lease_s: float = 60.0
    """Renewed before each step; another process may take over so long after this one dies."""
    compact_files: int = 20
    """Join small files once there are so many more than needed."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    traces: int
    """Rows written to `traces`: new traces and changed ones."""
    spans: int
    seq: int
    """Both tables now follow the store up to this change."""
    seconds: float


class LeaseLost(Conflict):
    """Another process took over while this one was not looking. Nothing is broken by it."""


def sync(
    changes: Changes, leases: Leases, lake_uri: str, options: SyncOptions | None = None
) -> SyncResult | None:
    """Bring both tables up to the store's latest change. None while another sync is running.

    Safe to kill at any point, and to run again: what is in a table is not written again. Changes
    made while it runs may be left for the next pass. Raises Conflict when the tables are ahead of
    the store, or were changed by someone else.
    """
    options = options or SyncOptions()
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
    if not leases.acquire(LEASE, holder, options.lease_s):
        return None
    try:
        return _Pass(changes, leases, holder, lake_uri, options).run()
    finally:
        leases.release(LEASE, holder)


class _Pass:
    def __init__(
        self, changes: Changes, leases: Leases, holder: str, lake_uri: str, options: SyncOptions
    ) -> None:
        self._changes = changes
        self._leases = leases
        self._holder = holder
        self._options = options
        self._pending = [
            _Pending(LakeTable(spec, lake_uri)) for spec in (SPANS_TABLE, TRACES_TABLE)
        ]

    def run(self) -> SyncResult:
        started = time.monotonic()
        # Read to where the store is now, so that a pass ends however fast new spans come in.
        target = self._changes.last_seq()
        cursors = [pending.table.cursor for pending in self._pending]
        seq = min(cursors)
        if max(cursors) > target:
            raise Conflict(
                f"the tables hold changes up to {max(cursors)}, but the store ends at {target}: "
                "they were made from another store; use another lake folder"
            )
        options = self._options
        while seq < target:
            self._keep_lease()
            found = self._changes.read(
                seq,
                max_traces=min(options.read_traces, options.commit_traces),
                max_spans=options.read_spans,
            )
            if not found:
                break
            if any(pending.is_full(found, options) for pending in self._pending):
                self._commit(seq)
            for pending in self._pending:
                pending.add(found)
            seq = found[-1].seq
        self._commit(seq)
        self._compact()
        spans, traces = self._pending
        return SyncResult(traces.written, spans.written, seq, time.monotonic() - started)

    def _commit(self, seq: int) -> None:
        for pending in self._pending:
            if pending.batches:
                self._keep_lease()
                pending.commit(seq)

    def _compact(self) -> None:
        for pending in self._pending:
            self._keep_lease()
            if pending.table.compact(self._options.compact_files):
                _log.info("joined the small files of table %s", pending.table.spec.name)

    def _keep_lease(self) -> None:
        if not self._leases.acquire(LEASE, self._holder, self._options.lease_s):
            raise LeaseLost("another sync took over, so this one stopped; nothing is lost")


@dataclass(slots=True)
class _Pending:
    """What was read and is not yet in one table."""

    table: LakeTable
    batches: list[RecordBatch] = field(default_factory=list[RecordBatch])
    trace_ids: set[str] = field(default_factory=set[str])
    changed: set[str] = field(default_factory=set[str])
    byte_count: int = 0
    written: int = 0

    def is_full(self, more: list[TraceChange], options: SyncOptions) -> bool:
        """Whether what is pending goes to the table before `more` joins it.

        A trace that changed again since it was read is among both; its two states may not be in
        one commit.
        """
        return (
            self.byte_count >= options.commit_bytes
            or len(self.trace_ids) + len(more) > options.commit_traces
            or any(change.info.trace_id in self.trace_ids for change in more)
        )

    def add(self, found: list[TraceChange]) -> None:
        """Take what this table does not have. After a kill it may be ahead of the other one."""
        cursor = self.table.cursor
        missing = [change for change in found if change.seq > cursor]
        if not missing:
            return
        batch = self.table.spec.rows(missing)
        self.batches.append(batch)
        self.byte_count += batch.nbytes
        self.trace_ids.update(change.info.trace_id for change in missing)
        self.changed.update(
            change.info.trace_id for change in missing if change.first_seq <= cursor
        )

    def commit(self, seq: int) -> None:
        self.table.commit(self.batches, self.changed, seq)
        self.written += sum(batch.num_rows for batch in self.batches)
        self.batches, self.byte_count = [], 0
        self.trace_ids, self.changed = set(), set()
