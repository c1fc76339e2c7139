"""What `store/api.py` promises, on every engine."""

import itertools
from typing import Any

import pytest

from tests.spans import START_NS, make_span, public_id, write
from tracelake.model.entities import AssessmentSource, SourceType, TokenUsage, TraceState
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.store.api import ClientInfo, FacetQuery, NewAssessment
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store
from tracelake.store.pages import encode_token, search_scope


def test_spans_in_any_order_make_the_same_trace(store: Store) -> None:
    spans = [
        make_span(1, 1, name="root", session__id="s"),
        make_span(1, 2, 1, error=True),
        make_span(1, 3, 2),
    ]
    for n, order in enumerate(itertools.permutations(range(3)), start=10):
        for at in order:
            span = spans[at]
            span.trace_id = n.to_bytes(16)
            write(store, span)
        info = store.traces.get_trace(public_id(n))
        assert (info.state, info.name, info.span_count) == (TraceState.OK, "root", 3)
        assert (info.error_count, info.session_id) == (1, "s")
        assert info.execution_duration_ns == 7_000_000


def test_a_span_sent_twice_is_stored_once(store: Store) -> None:
    span = make_span(1, 1)
    write(store, span, span)
    write(store, span)
    assert store.traces.get_trace(public_id(1)).span_count == 1
    assert len(store.traces.get_spans(public_id(1)).spans) == 1


def test_a_trace_without_its_root_is_in_progress(store: Store) -> None:
    write(store, make_span(1, 2, 1))
    assert store.traces.get_trace(public_id(1)).state is TraceState.IN_PROGRESS


def test_usage_of_an_agent_hides_that_of_its_calls(store: Store) -> None:
    for number, parent in ((1, None), (2, 1)):
        span = make_span(
            1, number, parent, gen_ai__usage__input_tokens=10, gen_ai__usage__output_tokens=5
        )
        write(store, span)
    assert store.traces.get_trace(public_id(1)).token_usage == TokenUsage(10, 5, 15)


def test_cost_from_model_and_usage(store: Store) -> None:
    write(
        store,
        make_span(
            1,
            1,
            gen_ai__request__model="gpt-4o",
            gen_ai__provider__name="openai",
            gen_ai__usage__input_tokens=1000,
            gen_ai__usage__output_tokens=100,
        ),
    )
    cost = store.traces.get_trace(public_id(1)).cost
    assert cost is not None
    assert cost.total_cost == pytest.approx(0.0035)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {1, 2, 3}),
        ("status = 'ERROR'", {2}),
        ("NOT status = 'ERROR'", {1, 3}),
        ("tags.env = 'prod'", {1}),
        ("tags.env != 'prod'", {2}),
        ("NOT tags.env = 'prod'", {2, 3}),
        ("tags.env IS NULL OR user = 'u1'", {1, 3}),
        ("span.type = 'TOOL' AND span.status = 'ERROR'", {3}),
        ("span.type = 'TOOL' AND span.name = 'root'", set[int]()),
        ("span.attributes.colour LIKE 'bl%'", {1}),
        ("NOT (span.attributes.colour = 'blue' OR status = 'ERROR')", {3}),
        ("name ILIKE 'ROOT' AND execution_time_ms >= 5", {1, 2, 3}),
        ("trace.text LIKE '%Zürich%'", {2}),
        ("user RLIKE '^u[12]$'", {1}),
        ("feedback.score >= 0.5", {3}),
    ],
)
def test_search(store: Store, text: str, found: set[int]) -> None:
    write(
        store,
        make_span(1, 1, name="root", mlflow__traceTag__env="prod", user__id="u1", colour="blue"),
        make_span(1, 2, 1, mlflow__spanType="TOOL"),
        make_span(2, 1, name="root", error=True, mlflow__traceTag__env="test", city="Zürich"),
        make_span(3, 1, name="root"),
        make_span(3, 2, 1, error=True, mlflow__spanType="TOOL"),
    )
    feedback = NewAssessment("score", "feedback", 0.9, AssessmentSource(SourceType.HUMAN))
    store.assessments.add(public_id(3), feedback)
    page = store.traces.find_traces(filter=text)
    assert {int(info.trace_id[3:], 16) for info in page.traces} == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"trace.text LIKE '%100\%%'", {1}),
        (r"trace.text LIKE '%a\_c%'", {1}),
        (r"name LIKE 'a\_c'", {1}),
        ("name LIKE 'a_c'", {1, 2}),
        (r"trace.text LIKE '%C:\'", set[int]()),
        (r"name = 'C:\'", {3}),
        ("trace.text LIKE '%What is \"x\"?%'", {2}),
        ("trace.text LIKE '%token_usage%'", set[int]()),
        ("trace.text LIKE '%status_message%'", set[int]()),
    ],
)
def test_text_is_what_a_person_reads(store: Store, text: str, found: set[int]) -> None:
    write(store, make_span(1, 1, name="a_c", note="100% sure, a_c"))
    write(store, make_span(2, 1, name="abc", mlflow__spanInputs='{"q": "What is \\"x\\"?"}'))
    write(store, make_span(3, 1, name="C:\\"))
    page = store.traces.find_traces(filter=text)
    assert {int(info.trace_id[3:], 16) for info in page.traces} == found


def test_a_name_that_was_told_stays_until_the_root_comes(store: Store) -> None:
    write(store, make_span(1, 2, 1, tracelake__trace__name="My request"))
    write(store, make_span(1, 3, 1))
    assert store.traces.get_trace(public_id(1)).name == "My request"
    store.editor.set_tag(public_id(1), "mlflow.traceName", "by hand")
    write(store, make_span(1, 4, 1))
    assert store.traces.get_trace(public_id(1)).name == "by hand"
    write(store, make_span(1, 1, name="root"))
    assert store.traces.get_trace(public_id(1)).name == "root"


def test_usage_without_a_count_hides_nothing_below_it(store: Store) -> None:
    nonsense = (("{}", "{}"), ('{"input_tokens": "7"}', '{"total_cost": -1}'))
    for n, (usage, cost) in enumerate(nonsense):
        write(
            store,
            make_span(n + 1, 1, mlflow__chat__tokenUsage=usage, mlflow__llm__cost=cost),
            make_span(
                n + 1, 2, 1,
                mlflow__chat__tokenUsage='{"input_tokens": 20, "output_tokens": 100}',
                mlflow__llm__cost='{"total_cost": 0.5}',
            ),
        )  # fmt: skip
        info = store.traces.get_trace(public_id(n + 1))
        assert info.token_usage is not None
        assert info.token_usage.total_tokens == 120
        assert info.cost is not None
        assert info.cost.total_cost == 0.5


def test_an_order_of_too_many_keys_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="it may have 10"):
        store.traces.find_traces(order_by=[f"tags.x{n}" for n in range(11)])


def test_a_root_sent_again_names_the_trace(store: Store) -> None:
    write(store, make_span(1, 1, name="first"))
    write(store, make_span(1, 1, name="second", error=True))
    info = store.traces.get_trace(public_id(1))
    assert (info.name, info.state) == ("second", TraceState.ERROR)


def test_what_is_no_text_is_stored_all_the_same(store: Store) -> None:
    half = '{"messages": [{"role": "user", "content": "half \\ud800 and \\u0000"}]}'
    write(store, make_span(1, 1, mlflow__spanInputs=half, mlflow__traceTag__k='"\\ud800"'))
    info = store.traces.get_trace(public_id(1))
    assert info.request_preview == "half \ufffd and \ufffd"
    assert info.tags["k"] == "\ufffd"
    page = store.traces.find_traces(filter="trace.text LIKE '%half _ and%'")
    assert len(page.traces) == 1


def test_pages_hold_every_trace_once(store: Store) -> None:
    write(store, *(make_span(n, 1) for n in range(1, 26)))
    seen: list[str] = []
    token: str | None = None
    while True:
        page = store.traces.find_traces(max_results=7, page_token=token)
        seen += [info.trace_id for info in page.traces]
        token = page.next_page_token
        if token is None:
            break
    assert sorted(seen) == [public_id(n) for n in range(1, 26)]


def test_a_token_is_of_one_search(store: Store) -> None:
    other = store.experiments.create("other", {}).experiment_id
    for n in range(1, 4):
        write(store, make_span(n, 1, session__id=f"s{n}"))
    for find in (store.traces.find_traces, store.analytics.find_sessions):
        token = find(experiment_ids=["0"], max_results=1).next_page_token
        assert token is not None
        assert find(experiment_ids=["0"], max_results=1, page_token=token).next_page_token
        for ids in (None, [other], ["0", other]):
            with pytest.raises(InvalidInput, match="another query"):
                find(experiment_ids=ids, max_results=1, page_token=token)


@pytest.mark.parametrize("session", ["\ud800", "a\0b"])
def test_a_token_that_no_store_gave_out_is_refused(store: Store, session: str) -> None:
    for find, values in (
        (store.traces.find_traces, [1, session]),
        (store.analytics.find_sessions, [1, 0, session]),
    ):
        order = "timestamp_ms DESC" if len(values) == 2 else ""
        token = encode_token(search_scope("", None) + order, values)
        with pytest.raises(InvalidInput, match="page_token"):
            find(page_token=token)


def test_a_key_to_order_by_stands_in_quotes_of_both_kinds(store: Store) -> None:
    for n, said in ((1, "b"), (2, "a")):
        tag: dict[str, Any] = {"mlflow__traceTag__odd key": said}
        write(store, make_span(n, 1, **tag))
    for key in ('tags."odd key"', "tags.`odd key`"):
        found = store.traces.find_traces(order_by=[key]).traces
        assert [info.tags["odd key"] for info in found] == ["a", "b"]


def test_changes_are_read_once_and_in_order(store: Store) -> None:
    write(store, make_span(1, 1), make_span(2, 1))
    first = store.changes.read(0, max_traces=10, max_spans=100)
    assert [change.info.span_count for change in first] == [1, 1]
    last = first[-1].seq
    assert store.changes.read(last, max_traces=10, max_spans=100) == []
    store.editor.set_tag(public_id(1), "k", "v")
    again = store.changes.read(last, max_traces=10, max_spans=100)
    assert [change.info.trace_id for change in again] == [public_id(1)]
    assert store.changes.last_seq() == again[0].seq > last


def test_an_override_and_its_deletion(store: Store) -> None:
    write(store, make_span(1, 1))
    human = AssessmentSource(SourceType.HUMAN)
    old = store.assessments.add(public_id(1), NewAssessment("ok", "feedback", True, human))
    new = store.assessments.add(
        public_id(1),
        NewAssessment("ok", "feedback", False, human, overrides=old.assessment_id),
    )
    assert [a.value for a in store.traces.get_trace(public_id(1)).assessments] == [False]
    store.assessments.delete(public_id(1), new.assessment_id)
    assert [a.value for a in store.traces.get_trace(public_id(1)).assessments] == [True]


def test_unknown_experiment_stores_nothing(store: Store) -> None:
    with pytest.raises(NotFound, match="No experiment with id 99"):
        write(store, make_span(1, 1), experiment_id=99)
    assert store.traces.find_traces().traces == []


def test_experiment_names_are_unique(store: Store) -> None:
    store.experiments.create("a", {})
    with pytest.raises(AlreadyExists):
        store.experiments.create("a", {})


def test_a_lease_has_one_holder(store: Store) -> None:
    assert store.leases.acquire("job", "a", 60)
    assert not store.leases.acquire("job", "b", 60)
    store.leases.release("job", "a")
    assert store.leases.acquire("job", "b", 0)
    assert store.leases.acquire("job", "c", 60)


@pytest.mark.parametrize("indexed", ["before", "after", "never"])
def test_a_client_decides_of_which_experiment_its_trace_is(store: Store, indexed: str) -> None:
    other = store.experiments.create("other", {}).experiment_id
    write(store, make_span(1, 2, 1, mlflow__spanInputs="hello"), make_span(2, 1))
    if indexed == "before":
        catch_up(store.indexer)
    store.client_infos.put(ClientInfo(public_id(1), other, START_NS))
    write(store, make_span(1, 1))
    if indexed == "after":
        catch_up(store.indexer)
    for experiment_id, trace in ((other, 1), ("0", 2)):
        for text in ("", "trace.text LIKE '%hello%' OR status = 'OK'"):
            page = store.traces.find_traces(experiment_ids=[experiment_id], filter=text)
            assert [info.trace_id for info in page.traces] == [public_id(trace)]
            assert page.traces[0].experiment_id == experiment_id
        named = FacetQuery(("name",), experiment_ids=(experiment_id,))
        [facet] = store.facets.find(named)
        assert [value.count for value in facet.values] == [1]
    with pytest.raises(NotFound):
        store.client_infos.put(ClientInfo(public_id(1), "918273645", START_NS))
    assert store.traces.get_trace(public_id(1)).experiment_id == other


def test_cached_tokens_are_none_only_where_nobody_told_them(store: Store) -> None:
    counts: dict[str, Any] = {"gen_ai__usage__input_tokens": 1, "gen_ai__usage__output_tokens": 1}
    write(store, make_span(1, 1, **counts))
    write(store, make_span(2, 1), make_span(2, 2, 1, **counts))
    write(store, make_span(2, 3, 1, **counts, gen_ai__usage__cache_read__input_tokens=0))
    assert store.traces.get_trace(public_id(1)).token_usage == TokenUsage(1, 1, 2)
    assert store.traces.get_trace(public_id(2)).token_usage == TokenUsage(2, 2, 4, 0)
