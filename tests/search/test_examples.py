"""The reference's examples: every one is parsed, and run on each engine and on the tables."""

import re
from pathlib import Path

import pytest

from tests.spans import make_span, public_id, write
from tracelake.lake.search import find_traces
from tracelake.lake.sql import LakeSql
from tracelake.lake.sync import sync
from tracelake.model.entities import AssessmentSource, SourceType
from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.model.filters.parse import parse_filter, quoted
from tracelake.store.api import NewAssessment
from tracelake.store.open import Store

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "search.md").read_text()


def lines_of(language: str) -> list[str]:
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_example_runs(store: Store, tmp_path: Path) -> None:
    write(store, make_span(1, 1, session__id="s1"), make_span(1, 2, 1, mlflow__spanType="TOOL"))
    assert sync(store.changes, store.leases, str(tmp_path)) is not None
    lake = LakeSql(str(tmp_path))
    filters = [*lines_of("filter"), *(f"search({quoted(text)})" for text in lines_of("short"))]
    assert len(filters) > 55
    for text in filters:
        found = [info.trace_id for info in store.traces.find_traces(filter=text).traces]
        assert [info.trace_id for info in find_traces(lake, text).traces] == found, text
    lake.close()
    for keys in lines_of("order"):
        assert len(store.traces.find_traces(order_by=keys.split(", ")).traces) == 1


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("nane = 'x'", 1, "did you mean 'name'"),
        ("status = 'OK' AND trace.modle = 'x'", 25, "did you mean 'model'"),
        ("tagz.env = 'x'", 1, "did you mean 'tag'"),
        ("span.stauts = 'OK'", 6, "did you mean 'status'"),
        ("status = 'EROR'", 10, "did you mean 'ERROR'"),
        ("span.status IN ('OK', 'IN_PROGRESS')", 23, "UNSET, OK, ERROR"),
        ("tokens > '5'", 10, "number without quotes"),
        ("name = prod", 8, "in quotes"),
        ("name NOT LIKE 'a%'", 10, "before its clause"),
        ("prompt != 'a/1'", 8, "does not apply"),
        ("user = 'a' user = 'b'", 12, "expected AND, OR or the end"),
        ("issue.name = 'x'", 7, "issue.id"),
        ("name RLIKE '('", 12, "regular expression"),
        (" OR ".join(["name = 'a'"] * 201), 2801, "more than 200"),
    ],
)
def test_an_error_says_where_and_what_was_meant(text: str, column: int, says: str) -> None:
    with pytest.raises(InvalidFilter) as raised:
        parse_filter(text)
    assert raised.value.column == column
    assert says in str(raised.value)


@pytest.mark.parametrize("key", ["nane", "metadata.`mlflow.trace.cost`", "model", "name DOWN"])
def test_an_order_there_is_not(store: Store, key: str) -> None:
    with pytest.raises(InvalidInput):
        store.traces.find_traces(order_by=[key])


def test_two_hundred_comparisons_are_taken(store: Store) -> None:
    write(store, make_span(1, 1, name="a"))
    text = " OR ".join(["name = 'a'", "model = 'x'"] * 100)
    assert len(store.traces.find_traces(filter=text).traces) == 1


def test_an_issue_is_found_by_its_id(store: Store) -> None:
    write(store, make_span(1, 1), make_span(2, 1))
    judge = AssessmentSource(SourceType.LLM_JUDGE)
    store.assessments.add(public_id(2), NewAssessment("iss-1", "issue", "slow", judge))
    found = store.traces.find_traces(filter="issue.id = 'iss-1'").traces
    assert [info.trace_id for info in found] == [public_id(2)]
    assert store.traces.find_traces(filter="issue.id = 'iss-2'").traces == []


def test_what_was_said_of_a_session_holds_for_all_its_traces(store: Store) -> None:
    write(store, *(make_span(n, 1, session__id="s1" if n < 3 else "s2") for n in (1, 2, 3)))
    judge = AssessmentSource(SourceType.LLM_JUDGE)
    metadata = {"mlflow.trace.session": "s1"}
    new = NewAssessment("coherent", "feedback", True, judge, metadata=metadata)
    store.assessments.add(public_id(1), new)
    for text in ("feedback.coherent = true", "feedback.coherent IS NOT NULL"):
        found = {info.trace_id for info in store.traces.find_traces(filter=text).traces}
        assert found == {public_id(1), public_id(2)}
    (rest,) = store.traces.find_traces(filter="feedback.coherent IS NULL").traces
    assert rest.trace_id == public_id(3)
