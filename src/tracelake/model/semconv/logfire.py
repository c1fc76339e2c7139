"""Logfire and Pydantic AI, where they differ from the GenAI conventions they are built on."""

from tracelake.model.semconv.convention import Convention

LOGFIRE = Convention(
    name="logfire",
    inputs=("pydantic_ai.all_messages", "all_messages_events", "tool_arguments", "request_data"),
    outputs=("final_result", "tool_response", "response_data"),
    model=("model_name",),
)
