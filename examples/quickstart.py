"""The smallest traced program: one agent, one tool, feedback, and the trace read back.

Start `tracelake server` first; set TRACELAKE_TRACKING_URI where it is not on this machine.
"""

import tracelake

tracelake.set_experiment("quickstart")


@tracelake.trace(span_type="TOOL")
def look_up(city: str) -> dict[str, object]:
    return {"city": city, "degrees": 21, "sky": "clear"}


@tracelake.trace(span_type="AGENT")
def answer(question: str, user: str) -> str:
    tracelake.update_current_trace(user=user, session_id=f"{user}-1", tags={"channel": "example"})
    weather = look_up(question.rstrip("?").split()[-1])
    return f"{weather['degrees']} degrees and {weather['sky']}"


def main() -> None:
    print(answer("What is the weather in Lisbon?", "ada"))
    trace_id = tracelake.get_last_active_trace_id()
    if trace_id is None:
        return
    tracelake.log_feedback(trace_id=trace_id, name="helpful", value=True, rationale="short")
    trace = tracelake.get_trace(trace_id)
    if trace is not None:
        print(trace.info.state, [span.name for span in trace.data.spans])


if __name__ == "__main__":
    main()
