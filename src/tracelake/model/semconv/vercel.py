"""Vercel AI SDK. https://ai-sdk.dev/docs/ai-sdk-core/telemetry"""

from tracelake.model.semconv.convention import Convention

VERCEL = Convention(
    name="vercel",
    kind=("ai.operationId",),
    kinds={
        "ai.generatetext": "AGENT",
        "ai.generatetext.dogenerate": "CHAT_MODEL",
        "ai.streamtext": "AGENT",
        "ai.streamtext.dostream": "CHAT_MODEL",
        "ai.generateobject": "AGENT",
        "ai.generateobject.dogenerate": "CHAT_MODEL",
        "ai.streamobject": "AGENT",
        "ai.streamobject.dostream": "CHAT_MODEL",
        "ai.toolcall": "TOOL",
        "ai.embed": "EMBEDDING",
        "ai.embed.doembed": "EMBEDDING",
        "ai.embedmany": "EMBEDDING",
        "ai.embedmany.doembed": "EMBEDDING",
    },
    inputs=("ai.prompt.messages", "ai.prompt", "ai.toolCall.args", "ai.value", "ai.values"),
    outputs=(
        "ai.response.text",
        "ai.response.object",
        "ai.response.toolCalls",
        "ai.toolCall.result",
        "ai.embedding",
        "ai.embeddings",
    ),
    model=("ai.response.model", "ai.model.id"),
    provider=("ai.model.provider",),
    tool=("ai.toolCall.name",),
    input_tokens=("ai.usage.inputTokens", "ai.usage.promptTokens"),
    output_tokens=("ai.usage.outputTokens", "ai.usage.completionTokens"),
    total_tokens=("ai.usage.totalTokens",),
    cache_read=("ai.usage.cachedInputTokens",),
    session=("ai.telemetry.metadata.sessionId",),
    user=("ai.telemetry.metadata.userId",),
)
