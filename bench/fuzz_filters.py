"""Generated filters against the brute-force twin of the tests, on a store of its own.

    python bench/fuzz_filters.py --count 20000 --seed 1 --store sqlite:////tmp/fuzz.db

Prints every filter that another answer was given to; ends with 1 when there is one.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.search.check import all_pages, disagreements
from tests.search.world import fill, make_world

from tracelake.store.index.follow import catch_up
from tracelake.store.open import open_store

_ROUND = 1000


def main() -> int:
    parser = argparse.ArgumentParser(description="Generated filters against a brute-force twin")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", metavar="URL", help="an empty store; by default SQLite")
    parser.add_argument("--tables", action="store_true", help="without an index")
    arguments = parser.parse_args()
    world = make_world(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(arguments.store or f"sqlite:///{folder}/tracelake.db")
        fill(store, world)
        if not arguments.tables:
            catch_up(store.indexer)
        find = all_pages(store)
        wrong = 0
        for done in range(0, arguments.count, _ROUND):
            count = min(_ROUND, arguments.count - done)
            for one in disagreements(find, world, arguments.seed * 1_000_003 + done, count):
                wrong += 1
                print(one, flush=True)
            memory_mb = psutil.Process().memory_info().rss >> 20
            told = f"{done + count} filters, {wrong} wrong, {time.process_time():.0f} s of CPU"
            print(f"{told}, {memory_mb} MB", flush=True)
        store.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
