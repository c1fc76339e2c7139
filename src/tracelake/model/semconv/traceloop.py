"""OpenLLMetry by Traceloop."""

from tracelake.model.semconv.convention import Convention

TRACELOOP = Convention(
    name="traceloop",
    kind=("traceloop.span.kind", "llm.request.type"),
    kinds={
        "workflow": "WORKFLOW",
        "task": "TASK",
        "agent": "AGENT",
        "tool": "TOOL",
        "chat": "CHAT_MODEL",
        "completion": "LLM",
        "embedding": "EMBEDDING",
        "rerank": "RERANKER",
    },
    inputs=("traceloop.entity.input",),
    outputs=("traceloop.entity.output",),
    tool=("traceloop.entity.name",),
    total_tokens=("llm.usage.total_tokens",),
    session=("traceloop.association.properties.session_id",),
    user=("traceloop.association.properties.user_id",),
    input_messages=("gen_ai.prompt",),
    output_messages=("gen_ai.completion",),
)
