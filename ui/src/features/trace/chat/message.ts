// One message of a conversation, whatever convention wrote it down.
export type ToolCall = { id: string | null; name: string; arguments: unknown };
export type ChatMessage = {
  role: string;
  text: string;
  toolCalls: ToolCall[];
  /** For a tool's answer: the call it answers, and the tool's name where it is said. */
  toolCallId: string | null;
  name: string | null;
};
export type Conversation = { input: ChatMessage[]; output: ChatMessage[] };

type Json = Record<string, unknown>;

const ROLES: Record<string, string> = {
  human: "user",
  ai: "assistant",
  model: "assistant",
  function: "tool",
  developer: "system",
};

export const asRecord = (value: unknown): Json | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;

export const asText = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** JSON text to its value; anything else as it is. */
export function parseJson(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{"]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** Messages of OpenAI, Anthropic, LangChain, Gemini or the GenAI conventions; null when it is none. */
export function readMessage(value: unknown): ChatMessage[] | null {
  const record = asRecord(value);
  if (!record) return null;
  const item = readResponseItem(record);
  if (item) return [item];
  const wrapped = asRecord(record["message"]) ?? asRecord(record["kwargs"]) ?? asRecord(record["data"]);
  if (wrapped && !("role" in record)) {
    return readMessage({ ...(asText(record["type"]) ? { type: record["type"] } : {}), ...wrapped });
  }
  const said = asText(record["role"]) ?? asText(record["type"]);
  if (said === null || !("content" in record || "parts" in record || "tool_calls" in record)) return null;
  const message: ChatMessage = {
    role: ROLES[said] ?? said,
    text: "",
    toolCalls: readToolCalls(record["tool_calls"]),
    toolCallId: asText(record["tool_call_id"]),
    name: asText(record["name"]),
  };
  return readParts(message, record["content"] ?? record["parts"]);
}

/** An item of the Responses API that is not a message. */
function readResponseItem(record: Json): ChatMessage | null {
  const empty = { role: "assistant", text: "", toolCalls: [], toolCallId: null, name: null };
  switch (record["type"]) {
    case "function_call":
      return { ...empty, toolCalls: [readToolCall({ ...record, id: record["call_id"] ?? record["id"] })] };
    case "function_call_output":
      return {
        ...empty,
        role: "tool",
        text: stringify(record["output"]),
        toolCallId: asText(record["call_id"]),
      };
    case "reasoning":
      return { ...empty, role: "reasoning", text: joinTexts(record["summary"]) };
    default:
      return null;
  }
}

/** Content may be text or parts; tool results among the parts become messages of their own. */
function readParts(message: ChatMessage, content: unknown): ChatMessage[] {
  if (!Array.isArray(content)) {
    message.text = content === null || content === undefined ? "" : stringify(content);
    return [message];
  }
  const texts: string[] = [];
  const results: ChatMessage[] = [];
  for (const value of content as unknown[]) {
    const part = asRecord(value);
    const type = part?.["type"];
    if (!part) texts.push(stringify(value));
    else if (type === "tool_use" || type === "tool_call") message.toolCalls.push(readToolCall(part));
    else if ("functionCall" in part) message.toolCalls.push(readToolCall(asRecord(part["functionCall"]) ?? {}));
    else if (type === "tool_result" || type === "tool_call_response") results.push(readToolResult(part));
    else texts.push(readPartText(part));
  }
  message.text = texts.filter(Boolean).join("\n\n");
  const empty = !message.text && message.toolCalls.length === 0;
  return empty && results.length > 0 ? results : [...results, message];
}

function readPartText(part: Json): string {
  for (const key of ["text", "content", "thinking", "refusal"]) {
    const text = asText(part[key]);
    if (text !== null) return text;
  }
  const type = asText(part["type"]);
  return /image|audio|file|video/.test(type ?? "") ? `[${type}]` : stringify(part);
}

function readToolResult(part: Json): ChatMessage {
  const content = part["content"] ?? part["response"] ?? part["result"];
  return {
    role: "tool",
    text: Array.isArray(content) ? joinTexts(content) : stringify(content ?? ""),
    toolCalls: [],
    toolCallId: asText(part["tool_use_id"]) ?? asText(part["id"]),
    name: asText(part["name"]),
  };
}

function readToolCalls(value: unknown): ToolCall[] {
  return Array.isArray(value) ? value.map((call) => readToolCall(asRecord(call) ?? {})) : [];
}

function readToolCall(call: Json): ToolCall {
  const inner = asRecord(call["function"]) ?? call;
  const given = inner["arguments"] ?? inner["args"] ?? inner["input"] ?? null;
  return {
    id: asText(call["id"]) ?? asText(call["call_id"]),
    name: asText(inner["name"]) ?? "tool",
    arguments: parseJson(given),
  };
}

function joinTexts(value: unknown): string {
  if (!Array.isArray(value)) return stringify(value ?? "");
  return value
    .map((item: unknown) => {
      const record = asRecord(item);
      return record ? readPartText(record) : stringify(item);
    })
    .join("\n\n");
}

function stringify(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
