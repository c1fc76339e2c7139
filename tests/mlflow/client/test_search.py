"""Traces found by the client of MLflow: its grammar, orders, pages, sessions, tags, deletion."""

import time
from types import SimpleNamespace

import pytest

import mlflow
from mlflow import MlflowClient

COUNT = 12
NEWEST_FIRST = list(range(COUNT))[::-1]


@pytest.fixture(scope="module")
def world():
    experiment_id = mlflow.set_experiment(f"search-{time.time_ns()}").experiment_id
    ids, starts_ms = [], []
    for n in range(COUNT):
        with mlflow.start_span(f"n{n % 3}", span_type="CHAIN") as span:
            span.set_inputs({"q": f"question {n} übermorgen"})
            mlflow.update_current_trace(
                tags={"parity": "odd" if n % 2 else "even", "odd key": str(n)}
                | ({"rare": "it's 50%"} if n == 4 else {}),
                metadata={
                    "tier": "gold" if n < 6 else "silver",
                    "mlflow.trace.session": f"s{n % 4}",
                    "mlflow.trace.user": f"u{n % 2}",
                },
                client_request_id=f"request-{n}",
            )
            with mlflow.start_span("call", span_type="LLM") as call:
                call.set_attribute("vendor.model", f"m{n}")
                if n == 7:
                    call.set_status("ERROR")
            if n == 5:
                span.set_status("ERROR")
        ids.append(span.trace_id)
        starts_ms.append(span.start_time_ns // 1_000_000)
        time.sleep(0.003)
    for n in range(4):
        mlflow.log_feedback(trace_id=ids[n], name="score", value=n / 2)
    mlflow.log_feedback(trace_id=ids[8], name="good", value=True)
    mlflow.log_expectation(trace_id=ids[9], name="answer", value="42")
    client = MlflowClient()
    run_id = client.create_run(experiment_id).info.run_id
    client.link_traces_to_run([ids[2], ids[3]], run_id)
    client.link_traces_to_run([ids[3]], run_id)
    return SimpleNamespace(experiment_id=experiment_id, ids=ids, starts=starts_ms, run_id=run_id)


@pytest.fixture
def found(world):
    client = MlflowClient()

    def ask(filter=None, **more):
        page = client.search_traces(
            experiment_ids=[world.experiment_id],
            filter_string=filter,
            include_spans=False,
            **more,
        )
        return [world.ids.index(trace.info.trace_id) for trace in page]

    return ask


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        (None, NEWEST_FIRST),
        ("", NEWEST_FIRST),
        ("status = 'ERROR'", [5]),
        ("trace.status != 'ERROR' AND tags.parity = 'odd'", [11, 9, 7, 3, 1]),
        ("name = 'n1'", [10, 7, 4, 1]),
        ("attributes.name LIKE 'n%' AND name != 'n0'", [11, 10, 8, 7, 5, 4, 2, 1]),
        ("tag.`odd key` = '4'", [4]),
        ("tags.rare = 'it''s 50%'", [4]),
        ("tags.rare != 'x'", [4]),
        ("tags.rare IS NOT NULL", [4]),
        ("tags.rare IS NULL AND metadata.tier = 'gold'", [5, 3, 2, 1, 0]),
        ("request_metadata.tier ILIKE 'SIL%'", [11, 10, 9, 8, 7, 6]),
        ("metadata.`mlflow.trace.session` = 's1'", [9, 5, 1]),
        ("metadata.`mlflow.trace.user` = 'u0' AND metadata.tier = 'gold'", [4, 2, 0]),
        ("client_request_id = 'request-3'", [3]),
        ("client_request_id IN ('request-3', 'request-5')", [5, 3]),
        ("execution_time_ms >= 0 AND execution_time < 60000", NEWEST_FIRST),
        ("span.type = 'LLM' AND span.status = 'ERROR'", [7]),
        ("span.type = 'CHAIN' AND span.name = 'call'", []),
        ("trace.text LIKE '%question 3 %'", [3]),
        ("trace.text LIKE '%Übermorgen%'", []),
        ("span.attributes.vendor.model LIKE '%m11%'", [11]),
        ("feedback.score = '1.5'", [3]),
        ("feedback.score >= 0.5 AND feedback.score < 1.5", [2, 1]),
        ("feedback.good = 'true'", [8]),
        ("expectation.answer = '42'", [9]),
    ],
)
def test_filters(found, filter, wanted):
    assert found(filter) == wanted


def test_filters_on_ids_and_times(found, world):
    assert found(f"request_id = '{world.ids[2]}'") == [2]
    assert found(f"timestamp_ms > {world.starts[8]}") == [11, 10, 9]
    assert found(f"timestamp >= {world.starts[2]} AND timestamp_ms < {world.starts[5]}") == [
        4,
        3,
        2,
    ]
    assert found(f"run_id = '{world.run_id}'") == [3, 2]
    assert found(f"run_id = '{world.run_id}' AND tags.parity = 'odd'") == [3]


def test_orders(found):
    assert found(order_by=["timestamp_ms ASC"]) == NEWEST_FIRST[::-1]
    assert found(order_by=["status ASC"]) == [5, *(n for n in NEWEST_FIRST if n != 5)]
    assert found("tags.parity = 'odd'", order_by=["timestamp ASC"], max_results=2) == [1, 3]
    assert found("metadata.tier = 'gold'", order_by=["tags.`odd key` DESC"]) == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    "filter",
    [
        "status = 'OK' OR name = 'n1'",
        "NOT status = 'OK'",
        "(status = 'OK')",
        "color = 'red'",
        "planet.name = 'x'",
        "name > 'x'",
        "name = n1",
        "timestamp_ms = 'now'",
        "feedback.score > 'x'",
        "name",
    ],
)
def test_a_filter_that_is_none_is_told(found, refused, filter):
    refused("INVALID_PARAMETER_VALUE", lambda: found(filter))


def test_pages_have_everything_once(world):
    client = MlflowClient()
    seen, token = [], None
    while token is not None or not seen:
        page = client.search_traces(
            experiment_ids=[world.experiment_id],
            max_results=5,
            page_token=token,
            include_spans=False,
        )
        seen += [trace.info.trace_id for trace in page]
        token = page.token or None
    assert seen == world.ids[::-1]


def test_with_spans_as_a_list_and_as_a_frame(world):
    pandas = pytest.importorskip("pandas")
    traces = mlflow.search_traces(experiment_ids=[world.experiment_id], return_type="list")
    assert [trace.info.trace_id for trace in traces] == world.ids[::-1]
    assert all([span.name for span in trace.data.spans][1] == "call" for trace in traces)
    frame = mlflow.search_traces(experiment_ids=[world.experiment_id])
    assert isinstance(frame, pandas.DataFrame)
    row = frame[frame.trace_id == world.ids[3]].iloc[0]
    assert row.request == {"q": "question 3 übermorgen"}
    assert row.client_request_id == "request-3"
    assert row.tags["parity"] == "odd"


def test_by_run_with_spans(world):
    traces = mlflow.search_traces(run_id=world.run_id, return_type="list")
    assert {trace.info.trace_id for trace in traces} == {world.ids[2], world.ids[3]}


def test_an_unknown_experiment_has_none():
    assert not MlflowClient().search_traces(experiment_ids=["918273645"])


def test_tags_are_seen_at_once(experiment_id, refused):
    client = MlflowClient()
    with mlflow.start_span("tagged") as span:
        pass
    here = {"experiment_ids": [experiment_id], "filter_string": "tags.live = 'yes'"}
    assert not client.search_traces(**here)
    client.set_trace_tag(span.trace_id, "live", "yes")
    assert len(client.search_traces(**here)) == 1
    client.delete_trace_tag(span.trace_id, "live")
    assert not client.search_traces(**here)
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.delete_trace_tag(span.trace_id, "live"))
    refused(
        "RESOURCE_DOES_NOT_EXIST", lambda: client.set_trace_tag("tr-" + "0" * 31 + "1", "a", "b")
    )


def test_deleted_by_id_and_by_age(experiment_id):
    client = MlflowClient()
    ids = []
    for _ in range(4):
        with mlflow.start_span("goes") as span:
            pass
        ids.append(span.trace_id)
        time.sleep(0.005)
    assert client.delete_traces(experiment_id, trace_ids=[*ids[:2], "tr-" + "0" * 31 + "1"]) == 2
    left = client.search_traces(experiment_ids=[experiment_id])
    assert [trace.info.trace_id for trace in left] == [ids[3], ids[2]]
    soon_ms = int(time.time() * 1000) + 1000
    assert client.delete_traces(experiment_id, max_timestamp_millis=soon_ms, max_traces=1) == 1
    left = client.search_traces(experiment_ids=[experiment_id])
    assert [trace.info.trace_id for trace in left] == [ids[3]]
