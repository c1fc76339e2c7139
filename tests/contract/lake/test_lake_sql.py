"""SQL over the tables reads, and does nothing else."""

from pathlib import Path

import pytest
from lake_world import NOON_NS, Lake

from tracelake.lake.sql import LakeSql
from tracelake.model.errors import InvalidInput, NotFound


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW traces",
        "DELETE FROM traces",
        "INSERT INTO traces SELECT * FROM traces",
        "CREATE TABLE copy AS SELECT 1",
        "COPY (SELECT 1) TO 'out.csv'",
        "SET enable_external_access = true",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "SELECT 1; DROP VIEW traces",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT nothing FROM traces",
        "SELECT",
        "",
    ],
)
def test_what_is_not_a_question_to_the_tables_is_refused(lake: Lake, statement: str) -> None:
    lake.sync()
    with pytest.raises(InvalidInput):
        lake.rows(statement)


def test_before_the_first_sync_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="tracelake sync"):
        LakeSql(str(tmp_path / "nowhere"))


def test_files_are_skipped_by_time_without_losing_microseconds(lake: Lake) -> None:
    for trace in range(1, 4):
        lake.send(trace, start_ns=NOON_NS + trace * 10**9)
        lake.sync()
    exactly_us = (NOON_NS + 2 * 10**9 + 1000) // 1000
    assert exactly_us % 1000 != 0
    for operator in ("=", ">=", "<="):
        where = f"request_time {operator} make_timestamptz({exactly_us})"
        wanted = 1 if operator == "=" else 2
        assert lake.rows(f"SELECT count(*) FROM traces WHERE {where}") == [(wanted,)]


def test_times_are_utc_and_maps_are_dicts(lake: Lake) -> None:
    lake.send(1)
    lake.sync()
    ((text, tags),) = lake.rows("SELECT request_time::VARCHAR, tags FROM traces")
    assert text.endswith("+00")
    assert tags["service.name"] == "shop"


def test_a_question_sees_the_tables_as_they_were_when_it_began(lake: Lake) -> None:
    lake.send(1)
    lake.sync()
    sql = LakeSql(lake.uri)
    try:
        lake.send(1, first_span=2)
        lake.send(2)
        lake.sync()
        assert list(sql.query("SELECT count(*) FROM spans").rows) == [(1,)]
    finally:
        sql.close()
