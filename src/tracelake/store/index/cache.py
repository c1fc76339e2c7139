"""Decoded parts of segments, kept while there is room. A segment never changes."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

DEFAULT_BYTES: Final = 256 * 1024 * 1024

Key = tuple[int, str]


class ColumnCache:
    """The most recently used columns of one process, up to a number of bytes."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()
        self._columns: OrderedDict[Key, tuple[Any, int]] = OrderedDict()

    def get(self, key: Key, load: Callable[[], tuple[Any, int]]) -> Any:
        """The column, and where it is not here yet, what `load` returns: itself and its bytes."""
        with self._lock:
            known = self._columns.get(key)
            if known is not None:
                self._columns.move_to_end(key)
                return known[0]
        column, size_bytes = load()
        with self._lock:
            if key not in self._columns:
                self._columns[key] = (column, size_bytes)
                self._held_bytes += size_bytes
            while self._held_bytes > self._max_bytes and len(self._columns) > 1:
                _, (_, dropped_bytes) = self._columns.popitem(last=False)
                self._held_bytes -= dropped_bytes
        return column
