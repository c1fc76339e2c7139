"""Search against a brute-force twin: what SQL finds is what `evaluate` says of every trace."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spans import make_span, write

from tracelake.model.entities import AssessmentSource, SourceType, Span
from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.evaluate import matches
from tracelake.model.filters.parse import parse_filter
from tracelake.store.api import NewAssessment
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store, open_store

WORDS = ("ok", "OK", "prod", "größe", "GRÖSSE", "a'b", "50%", "x_y", "back\\slash", "日本", "")
_word: st.SearchStrategy[str] = st.sampled_from(WORDS)


def spans_of(store: Store, trace_id: str) -> list[Span]:
    return store.traces.get_spans(trace_id).spans


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture(scope="module", params=["tables", "index", "both"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store that is read from its tables, from its index, or from both."""
    folder: Path = tmp_path_factory.mktemp("store")
    store = open_store(f"sqlite:///{folder / 'tracelake.db'}")
    for n in range(1, 40):
        if n % 4 == 0 and request.param == "both":
            catch_up(store.indexer)
        word, other = WORDS[n % len(WORDS)], WORDS[(n * 7) % len(WORDS)]
        said: dict[str, str] = {"colour": other, "mlflow__spanType": ("TOOL", "LLM")[n % 2]}
        if n % 3:
            said["mlflow__traceTag__env"] = word
        if n % 4:
            said["user__id"] = word
        write(
            store,
            make_span(n, 1, None, name=other or "none", error=n % 5 == 0, **said),
            make_span(n, 2, 1, name=word or "none", error=n % 3 == 0, mlflow__spanType="TOOL"),
        )
        if n % 4 == 0:
            value = n / 10 if n % 8 else word
            source = AssessmentSource(SourceType.HUMAN)
            store.assessments.add(f"tr-{n:032x}", NewAssessment("score", "feedback", value, source))
    if request.param == "index":
        catch_up(store.indexer)
    yield store
    store.close()


def bracketed(words: Sequence[str]) -> str:
    return f"({', '.join(map(quoted, words))})"


def _clause() -> st.SearchStrategy[str]:
    joined = "{} {} {}".format
    fields = st.sampled_from(
        [
            "name",
            "status",
            "user",
            "tags.env",
            "span.name",
            "span.type",
            "span.attributes.colour",
        ]
    )
    listed = st.sampled_from(["name", "status", "span.type"])
    nullable = st.sampled_from(["tags.env", "user", "feedback.score", "metadata.none"])
    numeric = st.sampled_from(
        ["execution_time_ms", "timestamp_ms", "end_time_ms", "feedback.score"]
    )
    texts = st.sampled_from(["trace.text", "span.content"])
    wild = st.sampled_from(["", "%", "_"])
    patterns = st.builds("{}{}{}".format, wild, _word, wild).map(quoted)
    numbers = st.sampled_from(["0", "6", "5.5", "-1", "2.5", "1790000000001", "9" * 20])
    return st.one_of(
        st.builds(joined, fields, st.sampled_from(["=", "!="]), _word.map(quoted)),
        st.builds(joined, fields, st.sampled_from(["LIKE", "ILIKE"]), patterns),
        st.builds(joined, texts, st.sampled_from(["LIKE", "ILIKE"]), patterns),
        st.builds(
            joined,
            listed,
            st.sampled_from(["IN", "NOT IN"]),
            st.lists(_word, min_size=1, max_size=3).map(bracketed),
        ),
        st.builds("{} {}".format, nullable, st.sampled_from(["IS NULL", "IS NOT NULL"])),
        st.builds(joined, numeric, st.sampled_from(["=", "!=", ">", ">=", "<", "<="]), numbers),
    )


FILTERS = st.recursive(
    _clause(),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT {}".format, inner),
    ),
    max_leaves=6,
)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=FILTERS)
def test_sql_finds_what_the_meaning_says(filled: Store, text: str) -> None:
    tree = parse_filter(text)
    everything = filled.traces.find_traces(max_results=500).traces
    expected = {
        info.trace_id
        for info in everything
        if matches(tree, info, partial(spans_of, filled, info.trace_id))
    }
    found = {info.trace_id for info in filled.traces.find_traces(filter=text).traces}
    assert found == expected


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_a_filter_or_says_where_it_is_not(text: str) -> None:
    wrong: InvalidFilter | None = None
    try:
        parse_filter(text)
    except InvalidFilter as error:
        wrong = error
    assert wrong is None or 1 <= wrong.column <= len(text) + 1
