"""The short form: what it means, what is wrong and where, and against the brute-force twin."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.filters import Generator
from tests.search.short_filters import short_of
from tests.search.test_search_twin import WORLD
from tests.search.twin import Twin
from tests.search.world import fill
from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.parse import parse_filter, quoted
from tracelake.model.filters.short import parse_short
from tracelake.model.filters.tree import And, Clause, Node, Not, OnSpan, Or
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store

ERRORS = "span.status = 'ERROR'"
SAME = [
    ("", ""),
    ("failed", "status = 'ERROR'"),
    ("errors", ERRORS),
    ("error", "text ILIKE '%error%'"),
    ("ok", "status = 'OK'"),
    ("status:failed,running", "status = 'ERROR' OR status = 'IN_PROGRESS'"),
    ("status:errors", ERRORS),
    ("-ok", "NOT status = 'OK'"),
    ("user:ann", "user = 'ann'"),
    ("user:ann,bob", "user IN ('ann', 'bob')"),
    ("user:yara*", "user ILIKE 'yara%'"),
    ("user:a_%*", r"user ILIKE 'a\_\%%'"),
    ("user:ann,b*", "user ILIKE 'b%' OR user = 'ann'"),
    ('user:"a, ""b"" *"', "user = 'a, \"b\" *'"),
    ("-user:ann failed", "NOT user = 'ann' AND status = 'ERROR'"),
    ("not user:ann or failed ok", "NOT user = 'ann' OR (status = 'ERROR' AND status = 'OK')"),
    ("failed and (ok or -running)",
     "status = 'ERROR' AND (status = 'OK' OR NOT status = 'IN_PROGRESS')"),
    ("user:/^a.*b$/", "user RLIKE '^a.*b$'"),
    ("error:/a b\\/[0-9]+ \\(/,x failed",
     "(error RLIKE 'a b/[0-9]+ \\(' OR error = 'x') AND status = 'ERROR'"),
    ("name:/api/x", "name = '/api/x'"),
    ("cost:>0.02", "cost > 0.02"),
    ("cost:$1..2.5", "cost >= 1 AND cost <= 2.5"),
    ("tokens:4k..", "tokens >= 4000"),
    ("tokens:..1.5k", "tokens <= 1500"),
    ("latency:>=1.5s", "execution_time_ms >= 1500"),
    ("latency:250ms", "execution_time_ms = 250"),
    ("time:2026-11-20..2026-11-21T12:00",
     "timestamp_ms >= 1795132800000 AND timestamp_ms <= 1795262400000"),
    ("time:2026-11-20", "timestamp_ms >= 1795132800000 AND timestamp_ms < 1795219200000"),
    ("time:..2026-11-20", "timestamp_ms < 1795219200000"),
    ("time:>2026-11-20", "timestamp_ms >= 1795219200000"),
    ('feedback.grade:"5"', "feedback.grade = '5'"),
    ("feedback.grade:nan", "feedback.grade = 'nan'"),
    ("tag.env:prod", "tags.env = 'prod'"),
    ("tags.a.b:x,y", "tags.a.b IN ('x', 'y')"),
    ('meta."odd key":x', "metadata.`odd key` = 'x'"),
    ("release:1.4.0 env:prod",
     "tags.service.version = '1.4.0' AND tags.deployment.environment.name = 'prod'"),
    ("feedback.thumbs:true", "feedback.thumbs = true"),
    ("score.quality:>0.5", "feedback.quality > 0.5"),
    ("feedback.grade:a,2", "feedback.grade = 'a' OR feedback.grade = 2"),
    ("has:cost -has:feedback.x", "cost IS NOT NULL AND NOT feedback.x IS NOT NULL"),
    ("refund", "text ILIKE '%refund%'"),
    ('"two words" 50%', r"text ILIKE '%two words%' AND text ILIKE '%50\%%'"),
    ('"failed"', "text ILIKE '%failed%'"),
    ("http://a/b", "text ILIKE '%http://a/b%'"),
    ("- a", "text ILIKE '%-%' AND text ILIKE '%a%'"),
    ("type:TOOL", "span.type = 'TOOL'"),
    ("span:lookup*", "span.name ILIKE 'lookup%'"),
    ("attr.retries:3", "span.attributes.retries = '3'"),
    ("span(tool:book error)", "span.tool = 'book' AND span.status = 'ERROR'"),
    ("span(tool:book,pay latency:>2s) failed",
     "span.tool IN ('book', 'pay') AND span.duration_ms > 2000 AND status = 'ERROR'"),
    ("-span(type:TOOL)", "NOT span.type = 'TOOL'"),
    ("span(-tool:book)", "span.tool != 'book' OR span.tool IS NULL"),
    ("span(timeout or error)", "span.content ILIKE '%timeout%' OR span.status = 'ERROR'"),
    ("id:0123456789abcdef0123456789abcdef", "request_id = '0123456789abcdef0123456789abcdef'"),
    ("run:r1", "run_id = 'r1'"),
]  # fmt: skip
WRONG = [
    ("usr:x", 1, "did you mean 'user'"),
    ("failed tols:x", 8, "did you mean 'tool'"),
    ("cost:cheap", 6, "write a number"),
    ("latency:>2", 10, "with its unit"),
    ("tokens:1.5", 8, "whole numbers"),
    ("user:>5", 7, "neither more nor less"),
    ("status:bad", 8, "no status"),
    ("user:/(/", 6, "regular expression"),
    ("tag:x", 1, "needs a key"),
    ("user:", 6, "value is missing"),
    ("has:", 5, "needs a field"),
    ("has:nothing", 5, "no field"),
    ("(failed", 1, "not closed"),
    ("failed)", 7, "opens nowhere"),
    ("span(error", 1, "not closed"),
    ("span(span(error))", 6, "inside of span"),
    ("span(user:x)", 6, "no field"),
    ("span(-timeout)", 6, "cannot be excluded"),
    ("failed or", 10, "missing here"),
    ("or failed", 1, "missing here"),
    ('user:"ann', 6, "not closed"),
    ("time:yesterday", 6, "a day or a time"),
    ('""', 1, "nothing in them"),
    ("-" * 30 + "failed", 12, "nested deeper"),
    ("a " * 101, 201, "more than 100"),
]


def bare(node: Node) -> Node:
    """Without columns, and with what stands alone on its own."""
    match node:
        case Clause():
            return replace(node, column=0)
        case And(items):
            return And(tuple(map(bare, items)))
        case Or(items):
            return Or(tuple(map(bare, items)))
        case Not(item):
            return Not(bare(item))
        case OnSpan(item):
            return OnSpan(bare(item))


@pytest.mark.parametrize(("short", "long"), SAME)
def test_what_it_means(short: str, long: str) -> None:
    told = bare(parse_short(short))
    expected = bare(parse_filter(long))
    assert told == expected or set_of(told) == set_of(expected)
    if short:
        assert bare(parse_filter(f"search({quoted(short)})")) == told


def set_of(node: Node) -> object:
    """A conjunction as a set: the grammar puts clauses on spans last."""
    return frozenset(node.items) if isinstance(node, And) else node


@pytest.mark.parametrize(("text", "column", "says"), WRONG)
def test_an_error_says_where_and_what_was_meant(text: str, column: int, says: str) -> None:
    with pytest.raises(InvalidFilter) as raised:
        parse_short(text)
    assert raised.value.column == column, str(raised.value)
    assert says in str(raised.value)


def test_an_error_inside_of_a_filter_points_into_it() -> None:
    with pytest.raises(InvalidFilter) as raised:
        parse_filter("status = 'OK' AND search('usr:x')")
    assert raised.value.column == len("status = 'OK' AND search('") + 1


@settings(max_examples=500, deadline=None)
@given(
    text=st.text(alphabet=st.sampled_from('ab:",.*()-<>= 5%\\$_é') | st.characters(), max_size=40)
)
def test_any_text_is_a_filter_or_says_where_it_is_not(text: str) -> None:
    wrong: InvalidFilter | None = None
    try:
        parse_short(text)
    except InvalidFilter as error:
        wrong = error
    assert wrong is None or 1 <= wrong.column <= len(text) + 1


def test_every_answer_is_the_twins(store: Store) -> None:
    fill(store, WORLD)
    catch_up(store.indexer)
    generator, twin = Generator(31, WORLD), Twin(WORLD)
    said = 0
    while said < 150:
        tree = generator.tree()
        short = short_of(tree)
        if short is None or short.count("(") > 9:
            continue
        said += 1
        text = f"search({quoted(short)})"
        found: list[str] = []
        token: str | None = None
        while True:
            page = store.traces.find_traces(filter=text, max_results=500, page_token=token)
            found += [info.trace_id for info in page.traces]
            if (token := page.next_page_token) is None:
                break
        assert found == twin.find(tree), short
