"""OpenTelemetry GenAI, the current names first and the ones they replaced after them.

https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from tracelake.model.semconv.convention import Convention

GENAI = Convention(
    name="genai",
    kind=("gen_ai.operation.name",),
    kinds={
        "chat": "CHAT_MODEL",
        "create_agent": "AGENT",
        "invoke_agent": "AGENT",
        "invoke_workflow": "WORKFLOW",
        "embeddings": "EMBEDDING",
        "execute_tool": "TOOL",
        "generate_content": "LLM",
        "text_completion": "LLM",
        "response": "LLM",
        "retrieval": "RETRIEVER",
        # The names that Gemini CLI writes under the same key.
        "llm_call": "LLM",
        "tool_call": "TOOL",
        "agent_call": "AGENT",
    },
    inputs=("gen_ai.input.messages", "gen_ai.tool.call.arguments", "gen_ai.prompt"),
    outputs=("gen_ai.output.messages", "gen_ai.tool.call.result", "gen_ai.completion"),
    model=("gen_ai.response.model", "gen_ai.request.model"),
    provider=("gen_ai.provider.name", "gen_ai.system"),
    tool=("gen_ai.tool.name",),
    # OpenTelemetry's general names, which the GenAI conventions refer to.
    error_type=("error.type", "exception.type"),
    error_message=("exception.message", "error.message"),
    input_tokens=("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    output_tokens=("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    total_tokens=("gen_ai.usage.total_tokens",),
    cache_read=("gen_ai.usage.cache_read.input_tokens",),
    cache_write=(
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
    ),
    session=("gen_ai.conversation.id",),
    input_events=(
        "gen_ai.system.message",
        "gen_ai.user.message",
        "gen_ai.assistant.message",
        "gen_ai.tool.message",
        "gen_ai.content.prompt",
    ),
    output_events=("gen_ai.choice", "gen_ai.content.completion"),
)
