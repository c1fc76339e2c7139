"""pyarrow, which brings no types of its own: here it is Any, by name, for the rest of the room."""

from typing import Any, Final, TypeAlias

import pyarrow
import pyarrow.compute
import pyarrow.fs
import pyarrow.parquet

pa: Final[Any] = pyarrow
pc: Final[Any] = pyarrow.compute
pq: Final[Any] = pyarrow.parquet
fs: Final[Any] = pyarrow.fs

Schema: TypeAlias = Any
RecordBatch: TypeAlias = Any
Table: TypeAlias = Any
Column: TypeAlias = Any
