"""Values longer than the index keeps are told whole, also when some of their traces change."""

from collections.abc import Callable

import pytest

from tests.spans import make_span, public_id, write
from tracelake.model.entities import AssessmentSource, SourceType
from tracelake.store.api import FacetQuery, MetricQuery, NewAssessment
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store
from tracelake.store.operations import TraceScope

TRACES = 6


def long(name: str, other: str = "") -> str:
    """Alike in all that the index keeps of them, but for the digest."""
    return name + "長" * 200 + other


def filled(store: Store) -> None:
    for n in range(1, TRACES + 1):
        other = "!" if n == TRACES else ""
        write(
            store,
            make_span(
                n, 1,
                name=long("name", other),
                error=True,
                user__id=long("user", other),
                session__id=long("session", other),
                gen_ai__request__model=long("model", other),
                exception__message=long("error", other),
                mlflow__traceTag__t=long("tag", other),
            ),
        )  # fmt: skip
        source = AssessmentSource(SourceType.HUMAN)
        said = NewAssessment(long("feedback"), "feedback", long("said", other), source)
        store.assessments.add(public_id(n), said)


def change_first(store: Store) -> None:
    store.editor.set_tag(public_id(1), "other", "x")


def delete_first(store: Store) -> None:
    store.deletion.delete(TraceScope(trace_ids=(public_id(1),)))


DIMENSIONS = {
    "trace_name": ("name", "trace_count"),
    "user": ("user", "trace_count"),
    "session": ("session", "trace_count"),
    "tags.t": ("tag", "trace_count"),
    "model": ("model", "span_count"),
    "span_name": ("name", "span_count"),
    "assessment_value": ("said", "assessment_count"),
}
FIELDS = {
    "name": "name",
    "user": "user",
    "session": "session",
    "tags.t": "tag",
    "model": "model",
    "span.name": "name",
    "error": "error",
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", [change_first, delete_first], ids=["changed", "deleted"])
def test_metrics_and_facets_tell_them_whole(
    store: Store, change: Callable[[Store], None], when: str
) -> None:
    filled(store)
    if when == "before":
        change(store)
        catch_up(store.indexer)
    else:
        catch_up(store.indexer)
        change(store)
    count = TRACES - (change is delete_first)
    for dimension, (word, metric) in DIMENSIONS.items():
        points = store.analytics.query_metric(MetricQuery(metric, ("COUNT",), (dimension,)))
        told = {point.dimensions[dimension]: point.values["COUNT"] for point in points}
        assert told == {long(word): count - 1, long(word, "!"): 1}, dimension
    facets = store.facets.find(FacetQuery((*FIELDS, "feedback")))
    *facets, feedback = facets
    assert [(value.value, value.count) for value in feedback.values] == [(long("feedback"), count)]
    for facet in facets:
        word = FIELDS[facet.field]
        told = {value.value: value.count for value in facet.values}
        assert told == {long(word): count - 1, long(word, "!"): 1}, facet.field
