"""Scorers, evaluation datasets, `mlflow.genai.evaluate` and prompts by the client of MLflow."""

import pytest

import mlflow
from mlflow import MlflowClient

genai = pytest.importorskip("mlflow.genai", reason="this package has no evaluation")
pytest.importorskip("mlflow.genai.datasets")
from mlflow.genai.scorers import (  # noqa: E402
    Guidelines,
    ScorerSamplingConfig,
    delete_scorer,
    get_scorer,
    list_scorers,
    scorer,
)

OLD = tuple(map(int, mlflow.__version__.split(".")[:2])) < (3, 12)


@scorer
def exact(outputs, expectations):
    return outputs == expectations["expected_response"]


@scorer
def length(outputs):
    return len(str(outputs))


def test_scorers_have_versions(experiment_id, refused):
    for text in ("Be polite", "Be very polite"):
        Guidelines(name="polite", guidelines=text, model="openai:/gpt-4o-mini").register(
            name="polite"
        )
    assert [each.name for each in list_scorers()] == ["polite"]
    assert get_scorer(name="polite").guidelines == "Be very polite"
    assert get_scorer(name="polite", version=1).guidelines == "Be polite"
    delete_scorer(name="polite", version=2)
    assert get_scorer(name="polite").guidelines == "Be polite"
    delete_scorer(name="polite", version="all")
    assert list_scorers() == []
    refused("RESOURCE_DOES_NOT_EXIST", lambda: get_scorer(name="polite"))


@pytest.mark.skipif(OLD, reason="this client registers functions in a workspace only")
def test_a_function_is_a_scorer_again(experiment_id):
    length.register(name="length")
    assert get_scorer(name="length")(outputs="abc") == 3


def test_a_scorer_is_started_changed_and_stopped(experiment_id):
    Guidelines(name="kind", guidelines="Be kind", model="openai:/gpt-4o-mini").register(name="kind")
    get_scorer(name="kind").start(
        sampling_config=ScorerSamplingConfig(sample_rate=0.5, filter_string="trace.status = 'OK'")
    )
    told = get_scorer(name="kind")
    assert (told.sample_rate, told.filter_string) == (0.5, "trace.status = 'OK'")
    told.update(sampling_config=ScorerSamplingConfig(sample_rate=0.25))
    assert [each.sample_rate for each in list_scorers()] == [0.25]
    get_scorer(name="kind").stop()
    assert get_scorer(name="kind").sample_rate == 0


def test_a_dataset_grows_and_changes(experiment_id, unique):
    datasets = genai.datasets
    name = unique("examples")
    made = datasets.create_dataset(name=name, experiment_id=experiment_id, tags={"v": "1"})
    assert (made.name, made.tags["v"], made.experiment_ids) == (name, "1", [experiment_id])
    made.merge_records(
        [
            {
                "inputs": {"q": "a", "n": {"k": [1]}},
                "expectations": {"one": "x"},
                "tags": {"t": "1"},
            },
            {"inputs": {"q": "b", "n": {"k": [2]}}},
        ]
    )
    made.merge_records([{"inputs": {"n": {"k": [1]}, "q": "a"}, "expectations": {"two": "y"}}])
    again = datasets.get_dataset(dataset_id=made.dataset_id)
    rows = {row["inputs"]["q"]: row for row in again.to_df().to_dict("records")}
    assert set(rows) == {"a", "b"}
    assert rows["a"]["expectations"] == {"one": "x", "two": "y"}
    assert rows["a"]["tags"]["t"] == "1"
    assert datasets.get_dataset(name=name).dataset_id == made.dataset_id
    datasets.delete_dataset(dataset_id=made.dataset_id)
    with pytest.raises(Exception, match="not found"):
        datasets.get_dataset(dataset_id=made.dataset_id)


def test_records_made_of_traces(experiment_id, unique):
    with mlflow.start_span("asked") as span:
        span.set_inputs({"q": "from a trace"})
        span.set_outputs("answer")
    mlflow.log_expectation(trace_id=span.trace_id, name="expected_response", value="right")
    made = genai.datasets.create_dataset(name=unique("traced"), experiment_id=experiment_id)
    made.merge_records(mlflow.search_traces(experiment_ids=[experiment_id], return_type="list"))
    row = genai.datasets.get_dataset(dataset_id=made.dataset_id).to_df().to_dict("records")[0]
    assert row["inputs"] == {"q": "from a trace"}
    assert row["expectations"] == {"expected_response": "right"}


def test_what_a_record_does_not_tell(experiment_id, unique):
    made = genai.datasets.create_dataset(name=unique("bare"), experiment_id=experiment_id)

    def told(**record):
        made.merge_records([{"inputs": {"q": "a"}, **record}])
        row = genai.datasets.get_dataset(dataset_id=made.dataset_id).to_df().to_dict("records")[0]
        return row["outputs"], row["expectations"]

    assert told() == ({}, None)
    assert told(outputs={"x": 1}) == ({"x": 1}, None)
    assert told(expectations={"right": "y"}) == ({"x": 1}, {"right": "y"})
    assert told(outputs=None) == (None, {"right": "y"})


def test_fifty_rows_are_evaluated(experiment_id, unique):
    made = genai.datasets.create_dataset(name=unique("fifty"), experiment_id=experiment_id)
    made.merge_records(
        [
            {
                "inputs": {"q": f"question {n}"},
                "expectations": {"expected_response": f"QUESTION {n}" if n % 2 else "no"},
            }
            for n in range(50)
        ]
    )
    result = genai.evaluate(
        data=genai.datasets.get_dataset(dataset_id=made.dataset_id),
        predict_fn=lambda q: q.upper(),
        scorers=[exact, length],
    )
    assert result.metrics["exact/mean"] == 0.5
    run = mlflow.get_run(result.run_id)
    assert run.data.metrics["exact/mean"] == 0.5
    assert run.data.metrics["length/mean"] == result.metrics["length/mean"]
    assert run.data.tags["mlflow.runType"] == "genai_evaluate"
    assert run.inputs.dataset_inputs
    traces = mlflow.search_traces(run_id=result.run_id, return_type="list", max_results=100)
    assert len(traces) == len(result.result_df) == 50
    for trace in traces:
        told = {each.name: each for each in trace.info.assessments}
        question = trace.data.spans[0].inputs["q"]
        assert trace.data.spans[0].outputs == question.upper()
        assert told["exact"].value is (int(question.split()[1]) % 2 == 1)
        assert told["length"].value == len(question)
        assert told["exact"].run_id == result.run_id
        assert "expected_response" in told


def test_existing_traces_are_evaluated(experiment_id):
    for n in range(3):
        with mlflow.start_span("said") as span:
            span.set_inputs({"q": n})
            span.set_outputs("x" * n)
    traces = mlflow.search_traces(experiment_ids=[experiment_id])
    result = genai.evaluate(data=traces, scorers=[length])
    assert result.metrics["length/mean"] == 1
    linked = MlflowClient().search_traces(
        experiment_ids=[experiment_id], filter_string=f"run_id = '{result.run_id}'"
    )
    assert len(linked) == 3


def test_prompts(experiment_id, unique):
    name = unique("greeting")
    first = genai.register_prompt(
        name=name, template="Hi {{who}}", commit_message="first", tags={"t": "1"}
    )
    second = genai.register_prompt(
        name=name, template=[{"role": "user", "content": "Hello {{who}}"}]
    )
    assert (first.version, second.version) == (1, 2)
    genai.set_prompt_alias(name, alias="live", version=1)
    assert genai.load_prompt(f"prompts:/{name}@live").format(who="x") == "Hi x"
    assert genai.load_prompt(f"prompts:/{name}/2").format(who="x")[0]["content"] == "Hello x"
    assert genai.load_prompt(f"prompts:/{name}@latest").version == 2
    found = genai.search_prompts(filter_string=f"name = '{name}'")
    assert [prompt.name for prompt in found] == [name]
    assert name not in [model.name for model in MlflowClient().search_registered_models()]


def test_a_prompt_that_a_trace_used_finds_it(experiment_id, unique):
    name = unique("used")
    genai.register_prompt(name=name, template="Hi {{who}}")
    with mlflow.start_span("uses") as span:
        genai.load_prompt(f"prompts:/{name}/1")
    found = mlflow.search_traces(
        experiment_ids=[experiment_id], filter_string=f"prompt = '{name}/1'", return_type="list"
    )
    assert [trace.info.trace_id for trace in found] == [span.trace_id]
