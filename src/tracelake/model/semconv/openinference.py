"""OpenInference. https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md"""

from tracelake.model.semconv.convention import Convention

OPENINFERENCE = Convention(
    name="openinference",
    kind=("openinference.span.kind",),
    kinds={
        "llm": "CHAT_MODEL",
        "chain": "CHAIN",
        "agent": "AGENT",
        "tool": "TOOL",
        "retriever": "RETRIEVER",
        "embedding": "EMBEDDING",
        "reranker": "RERANKER",
        "guardrail": "GUARDRAIL",
        "evaluator": "EVALUATOR",
    },
    inputs=("input.value",),
    outputs=("output.value",),
    model=(
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
    ),
    provider=("llm.provider", "llm.system"),
    tool=("tool.name",),
    input_tokens=("llm.token_count.prompt",),
    output_tokens=("llm.token_count.completion",),
    total_tokens=("llm.token_count.total",),
    cache_read=("llm.token_count.prompt_details.cache_read",),
    cache_write=("llm.token_count.prompt_details.cache_write",),
    input_messages=("llm.input_messages",),
    output_messages=("llm.output_messages",),
)
