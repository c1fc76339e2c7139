"""Assessments by the client of MLflow: feedback, expectations, their changes and overrides."""

import time

import pytest
from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback

import mlflow


@pytest.fixture
def trace_id(experiment_id):
    with mlflow.start_span("root") as root, mlflow.start_span("child"):
        root.set_inputs("q")
    return root.trace_id


def of(trace_id, name=None):
    found = mlflow.get_trace(trace_id).info.assessments
    return [assessment for assessment in found if name in (None, assessment.name)]


@pytest.mark.parametrize(
    "value", [True, False, 0.0, -1.5, 3.5, "", "1", "text", ["a", True], {"k": 1, "b": [None]}]
)
def test_feedback_keeps_its_value(trace_id, value):
    logged = mlflow.log_feedback(trace_id=trace_id, name="f", value=value)
    told = mlflow.get_assessment(trace_id, logged.assessment_id)
    assert told.value == value
    assert type(told.value) is type(value)
    assert [assessment.value for assessment in of(trace_id)] == [value]


@pytest.mark.parametrize("value", ["text", 3.5, True, {"deep": [1, {"a": None}]}, ["a", 1]])
def test_an_expectation_keeps_its_value(trace_id, value):
    logged = mlflow.log_expectation(trace_id=trace_id, name="e", value=value)
    told = mlflow.get_assessment(trace_id, logged.assessment_id)
    assert isinstance(told, Expectation)
    assert (told.value, told.source.source_type) == (value, "HUMAN")


def test_all_that_is_said_reads_back(trace_id):
    child = next(span for span in mlflow.get_trace(trace_id).data.spans if span.parent_id)
    logged = mlflow.log_feedback(
        trace_id=trace_id,
        name="quality",
        value=4.5,
        rationale="because",
        metadata={"round": "1"},
        source=AssessmentSource(source_type="HUMAN", source_id="ann@example.com"),
        span_id=child.span_id,
    )
    told = of(trace_id)[0]
    assert (told.assessment_id, told.trace_id) == (logged.assessment_id, trace_id)
    assert (told.source.source_type, told.source.source_id) == ("HUMAN", "ann@example.com")
    assert (told.rationale, told.metadata, told.valid) == ("because", {"round": "1"}, True)
    assert told.span_id == child.span_id
    assert told.create_time_ms == logged.create_time_ms


def test_feedback_that_failed(trace_id):
    error = AssessmentError(error_code="RATE_LIMIT", error_message="slow down", stack_trace="at x")
    source = AssessmentSource(source_type="LLM_JUDGE", source_id="judge")
    mlflow.log_feedback(trace_id=trace_id, name="e", error=error, source=source)
    told = of(trace_id)[0]
    assert told.value is None
    assert (told.error.error_code, told.error.error_message) == ("RATE_LIMIT", "slow down")
    assert (told.error.stack_trace, told.source.source_type) == ("at x", "LLM_JUDGE")


def test_changed(trace_id, refused):
    logged = mlflow.log_feedback(trace_id=trace_id, name="a", value=1, metadata={"m": "1"})
    time.sleep(0.02)
    mlflow.update_assessment(
        trace_id,
        logged.assessment_id,
        Feedback(name="b", value=0.25, rationale="new", metadata={"n": "2"}),
    )
    told = mlflow.get_assessment(trace_id, logged.assessment_id)
    assert (told.name, told.value, told.rationale) == ("b", 0.25, "new")
    assert told.metadata == {"m": "1", "n": "2"}
    assert told.create_time_ms == logged.create_time_ms < told.last_update_time_ms
    expected = mlflow.log_expectation(trace_id=trace_id, name="e", value="v")
    refused(
        "INVALID_PARAMETER_VALUE",
        lambda: mlflow.update_assessment(
            trace_id, expected.assessment_id, Feedback(name="e", value=1)
        ),
    )
    assert mlflow.get_assessment(trace_id, expected.assessment_id).value == "v"


def test_overridden_and_back(trace_id):
    first = mlflow.log_feedback(trace_id=trace_id, name="judge", value=True)
    second = mlflow.override_feedback(
        trace_id=trace_id, assessment_id=first.assessment_id, value=False
    )
    told = {assessment.assessment_id: assessment for assessment in of(trace_id)}
    assert told[first.assessment_id].valid is False
    assert (told[second.assessment_id].valid, told[second.assessment_id].overrides) == (
        True,
        first.assessment_id,
    )
    mlflow.delete_assessment(trace_id, second.assessment_id)
    mlflow.delete_assessment(trace_id, second.assessment_id)
    assert [(a.assessment_id, a.valid) for a in of(trace_id)] == [(first.assessment_id, True)]


def test_inside_a_trace_that_runs(experiment_id):
    with mlflow.start_span("live") as span:
        mlflow.log_feedback(trace_id=span.trace_id, name="inline", value=3)
    told = of(span.trace_id)[0]
    assert (told.name, told.value, told.trace_id) == ("inline", 3, span.trace_id)
    assert told.assessment_id


def test_of_a_session(experiment_id):
    with mlflow.start_span("turn") as span:
        mlflow.update_current_trace(metadata={"mlflow.trace.session": f"s-{experiment_id}"})
    mlflow.log_feedback(
        trace_id=span.trace_id,
        name="whole",
        value=True,
        metadata={"mlflow.trace.session": f"s-{experiment_id}"},
    )
    found = mlflow.search_traces(
        experiment_ids=[experiment_id], filter_string="feedback.whole = 'true'", return_type="list"
    )
    assert [trace.info.trace_id for trace in found] == [span.trace_id]


def test_what_is_not_there(trace_id, refused):
    unknown = "tr-" + "0" * 31 + "1"
    refused(
        "RESOURCE_DOES_NOT_EXIST",
        lambda: mlflow.log_feedback(trace_id=unknown, name="n", value=1),
    )
    refused("RESOURCE_DOES_NOT_EXIST", lambda: mlflow.get_assessment(trace_id, "a-" + "0" * 32))


def test_feedback_on_a_span_that_is_still_to_come(experiment_id):
    with mlflow.start_span("s") as span:
        pass
    made = mlflow.log_feedback(
        trace_id=span.trace_id, name="n", value=1, span_id="0123456789abcdef"
    )
    (told,) = mlflow.get_trace(span.trace_id).info.assessments
    assert (told.assessment_id, told.span_id) == (made.assessment_id, "0123456789abcdef")
