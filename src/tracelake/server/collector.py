"""Python's collector of cycles in a process that lives long."""

import gc
from typing import Final

_NEW_OBJECTS: Final = 10_000
"""Spans make many objects and no cycles. With Python's 700, ingest took 6 % longer."""


def calm_collector() -> None:
    """Let what was made until now stay, and look for cycles seldom. Call it before the work begins.

    Without the first, the 95th percentile of searches over a million traces was 100 ms above the
    median.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)
