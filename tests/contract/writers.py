"""What the processes of test_writers.py do: `python -m tests.contract.writers ACT URL …`."""

import os
import sys
import time
from pathlib import Path
from random import Random

from sqlalchemy import select

from tests.spans import make_span, write
from tracelake.store.editor import touch
from tracelake.store.open import Store, open_store
from tracelake.store.schema import traces

TRACES = 40
"""Shared by all writers: each of them changes traces of the others."""


def change(store: Store, number: int, rounds: int) -> None:
    """Write, tag and touch traces; some transactions stay open long after they drew a number."""
    chooser = Random(number)
    for n in range(rounds):
        trace = chooser.randrange(1, TRACES + 1)
        match n % 3:
            case 0:
                write(store, make_span(trace, number * 1000 + n + 1, 1))
            case 1:
                write(store, *(make_span(each, number * 1000 + n + 1, 1) for each in (trace, 1, 2)))
            case _:
                with store.database.write() as connection:
                    key = connection.execute(select(traces.c.trace_key).limit(1)).scalar()
                    if key is not None:
                        touch(connection, key)
                    time.sleep(chooser.uniform(0, 0.03))


def take_turns(store: Store, holder: str, marker: Path, seconds: float) -> None:
    """Take the lease again and again; fail where another process is in its middle."""
    ends = time.monotonic() + seconds
    turns = 0
    while time.monotonic() < ends:
        if store.leases.acquire("job", holder, 30):
            handle = os.open(marker, os.O_CREAT | os.O_EXCL)
            time.sleep(0.01)
            os.close(handle)
            marker.unlink()
            store.leases.release("job", holder)
            turns += 1
        time.sleep(0.01)
    sys.stdout.write(f"{turns}\n")


def hold(store: Store, ttl_s: float) -> None:
    """Take the lease, say so, and never give it back."""
    assert store.leases.acquire("job", "the one that dies", ttl_s)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    time.sleep(60)


def main() -> None:
    act, url, *rest = sys.argv[1:]
    store = open_store(url)
    try:
        match act:
            case "change":
                change(store, int(rest[0]), int(rest[1]))
            case "take_turns":
                take_turns(store, rest[0], Path(rest[1]), float(rest[2]))
            case _:
                hold(store, float(rest[0]))
    finally:
        store.close()


if __name__ == "__main__":
    main()
