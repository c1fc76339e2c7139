"""The kit for tests of traced programs."""

import pytest

import tracelake
from tracelake.testing import capture


@tracelake.trace(span_type="AGENT")
def answer(question: str) -> str:
    with tracelake.start_span("think") as span:
        span.set_inputs({"raw": b"x"})
    return question.upper()


def test_spans_are_kept_with_ids_that_repeat() -> None:
    for _ in range(2):
        with capture() as spans:
            assert answer("hi") == "HI"
            trace_id = tracelake.get_last_active_trace_id() or ""
            tracelake.log_feedback(trace_id=trace_id, name="n", value=1)
        assert [span.name for span in spans] == ["think", "answer"]
        root = spans.named("answer")
        assert (root.trace_id, root.span_id) == ("tr-" + "1".zfill(32), "1".zfill(16))
        assert (root.inputs, root.outputs, root.status) == ({"question": "hi"}, "HI", "OK")
        assert root.span_type == "AGENT"
        assert spans.named("think").parent_id == root.span_id
        assert spans.named("think").inputs == {"raw": b"x"}
        with pytest.raises(LookupError, match="0 spans are named 'other'"):
            spans.named("other")
