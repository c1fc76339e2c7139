"""What the light client, `mlflow-tracing`, can do; every other client can as well."""

import mlflow


def test_traced_tagged_assessed_and_found(experiment_id):
    @mlflow.trace(span_type="TOOL")
    def double(x):
        return x * 2

    @mlflow.trace
    def outer(x):
        mlflow.update_current_trace(tags={"env": "prod"})
        return {"doubled": double(x)}

    outer(21)
    trace_id = mlflow.get_last_active_trace_id()
    trace = mlflow.get_trace(trace_id)
    assert [span.name for span in trace.data.spans] == ["outer", "double"]
    assert trace.data.spans[0].outputs == {"doubled": 42}
    mlflow.set_trace_tag(trace_id, "seen", "yes")
    feedback = mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    mlflow.log_expectation(trace_id=trace_id, name="right", value={"doubled": 42})
    found = mlflow.search_traces(
        experiment_ids=[experiment_id],
        filter_string="tags.seen = 'yes' AND tags.env = 'prod' AND feedback.good = 'true'",
        return_type="list",
    )
    assert [each.info.trace_id for each in found] == [trace_id]
    assert [span.span_type for span in found[0].data.spans] == ["UNKNOWN", "TOOL"]
    assert len(found[0].info.assessments) == 2
    mlflow.delete_assessment(trace_id, feedback.assessment_id)
    mlflow.delete_trace_tag(trace_id, "seen")
    assert "seen" not in mlflow.get_trace(trace_id).info.tags


def test_sent_in_the_background(experiment_id, program):
    printed = program(
        f"""
        import mlflow
        mlflow.set_experiment(experiment_id="{experiment_id}")
        @mlflow.trace
        def answer(n): return n
        for n in range(20): answer(n)
        print("TRACE", mlflow.get_last_active_trace_id())
        """,
        MLFLOW_ENABLE_ASYNC_TRACE_LOGGING="true",
    )
    assert mlflow.get_trace(printed.split("TRACE ")[1].split()[0]).data.spans[0].outputs == 19
    assert len(mlflow.search_traces(experiment_ids=[experiment_id], return_type="list")) == 20
