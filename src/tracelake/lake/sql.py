"""SQL over the Delta tables, by DuckDB in this process. Reading only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
from deltalake import DeltaTable

from tracelake.lake.table import SPANS_TABLE, TRACES_TABLE, table_uri
from tracelake.model.errors import InvalidInput, NotFound

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`rows` come as they are read; maps as dicts, times in UTC."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


class LakeSql:
    """The tables `traces` and `spans` as they are now. `close` it when done.

    Raises NotFound where nothing has been synced yet.
    """

    def __init__(self, lake_uri: str) -> None:
        self._connection = duckdb.connect(config={"python_enable_replacements": "false"})
        self._connection.execute("SET TimeZone='UTC'")
        for spec in (TRACES_TABLE, SPANS_TABLE):
            uri = table_uri(lake_uri, spec.name)
            if not DeltaTable.is_deltatable(uri):
                self._connection.close()
                raise NotFound(f"There is no table at {uri}; `tracelake sync` makes it")
            table: Any = DeltaTable(uri)
            self._connection.register(spec.name, table.to_pyarrow_dataset())
        # Statements see these two tables and nothing else of this machine.
        self._connection.execute("SET enable_external_access=false")
        self._connection.execute("SET lock_configuration=true")

    def query(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        """Run one SELECT (or EXPLAIN, DESCRIBE, SHOW). Raises InvalidInput with DuckDB's words.

        `parameters` by name: `$limit` in the statement is `parameters["limit"]`.
        """
        try:
            parsed = self._connection.extract_statements(statement)
            kinds = {parsed_one.type for parsed_one in parsed}
            if len(parsed) != 1 or not kinds <= {
                duckdb.StatementType.SELECT,
                duckdb.StatementType.EXPLAIN,
            }:
                raise InvalidInput("one SELECT statement, please: the tables are read-only here")
            relation = self._connection.sql(statement, params=parameters)
            return Answer(list(relation.columns), _rows(relation))
        except duckdb.Error as error:
            raise InvalidInput(str(error)) from error

    def close(self) -> None:
        self._connection.close()


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    """Through Arrow: DuckDB's own rows need a time zone package that Tracelake does not use."""
    try:
        for batch in relation.to_arrow_reader(1000):
            columns = [column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns]
            yield from zip(*columns, strict=True)
    except duckdb.Error as error:
        raise InvalidInput(str(error)) from error
