"""Several processes on one store: a reader skips nothing, a lease has one holder."""

import subprocess
import sys
import time
from pathlib import Path

from tests.contract.writers import TRACES
from tests.spans import public_id
from tracelake.store.open import Store, open_store

ROOT = Path(__file__).parents[2]
WRITERS = 4
ROUNDS = 45


def start(act: str, url: str, *rest: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.contract.writers", act, url, *map(str, rest)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def end(process: "subprocess.Popen[str]") -> None:
    """Kill it where it still runs, and let go of its pipe."""
    process.kill()
    process.communicate()


def follow(store: Store, cursor: int, seen: dict[str, list[int]]) -> int:
    """Read what came since; the new cursor."""
    while changes := store.changes.read(cursor, max_traces=7, max_spans=1000):
        for change in changes:
            assert change.seq > cursor
            cursor = change.seq
            seen.setdefault(change.info.trace_id, []).append(change.seq)
    return cursor


def test_a_reader_skips_nothing_while_many_write(store_url: str) -> None:
    store = open_store(store_url)
    writers = [start("change", store_url, n, ROUNDS) for n in range(1, WRITERS + 1)]
    seen: dict[str, list[int]] = {}
    cursor = 0
    try:
        while any(writer.poll() is None for writer in writers):
            cursor = follow(store, cursor, seen)
            time.sleep(0.005)
        cursor = follow(store, cursor, seen)
        assert [writer.returncode for writer in writers] == [0] * WRITERS
        with store.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT trace_id, seq FROM traces").all()
            stale = connection.exec_driver_sql("SELECT seq FROM stale_versions").scalars().all()
    finally:
        for writer in writers:
            end(writer)
        store.close()
    last_seen = {trace_id: numbers[-1] for trace_id, numbers in seen.items()}
    assert last_seen == {public_id(int.from_bytes(row.trace_id)): row.seq for row in rows}
    assert set(seen) <= {public_id(n) for n in range(1, TRACES + 1)}
    told = [number for numbers in seen.values() for number in numbers]
    assert len(told) == len(set(told))
    # Dense: every number is a version that is there or was.
    assert sorted([row.seq for row in rows] + list(stale)) == list(range(1, cursor + 1))


def test_a_lease_has_one_holder_among_processes(store_url: str, tmp_path: Path) -> None:
    open_store(store_url).close()
    marker = tmp_path / "in-the-middle"
    holders = [start("take_turns", store_url, f"h{n}", marker, 2) for n in range(WRITERS)]
    try:
        told = [holder.communicate(timeout=60)[0] for holder in holders]
    finally:
        for holder in holders:
            end(holder)
    assert [holder.returncode for holder in holders] == [0] * WRITERS
    assert sum(map(int, told)) > WRITERS


def test_a_lease_passes_on_when_its_holder_is_killed(store_url: str) -> None:
    store = open_store(store_url)
    holder = start("hold", store_url, 1.0)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        held_s = time.time()
        assert not store.leases.acquire("job", "the next one", 30)
        holder.kill()
        holder.wait()
        for _ in range(200):
            if store.leases.acquire("job", "the next one", 30):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("nobody got the lease within 10 s")
        assert time.time() - held_s > 0.5, "the lease was taken from one that might still work"
        assert not store.leases.acquire("job", "a third one", 30)
    finally:
        end(holder)
        store.close()
