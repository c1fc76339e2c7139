// The conversation in a span: from its inputs and outputs, or from the attributes of a convention.
import type { Span } from "@/shared/api/types";
import { asRecord, asText, type ChatMessage, type Conversation, parseJson, readMessage } from "./message";
import { unflatten } from "./unflatten";

/** Null when nothing in the span reads as chat messages. */
export function readConversation(span: Span): Conversation | null {
  const attributes = span.attributes ?? {};
  const input = firstOf([
    () => readRequest(parseJson(span.inputs)),
    () => readIndexed(attributes, "llm.input_messages."),
    () => readGenAi(attributes, "gen_ai.input.messages", "gen_ai.system_instructions"),
    () => readIndexed(attributes, "gen_ai.prompt."),
    () => readRequest(parseJson(attributes["input.value"])),
  ]);
  const output = firstOf([
    () => readResponse(parseJson(span.outputs)),
    () => readIndexed(attributes, "llm.output_messages."),
    () => readGenAi(attributes, "gen_ai.output.messages"),
    () => readIndexed(attributes, "gen_ai.completion."),
    () => readResponse(parseJson(attributes["output.value"])),
  ]);
  if (input.length > 0) return { input, output: output.length > 0 ? output : readPlainAnswer(span) };
  return output.length > 0 ? { input, output } : null;
}

function firstOf(readers: readonly (() => ChatMessage[])[]): ChatMessage[] {
  for (const read of readers) {
    const messages = read();
    if (messages.length > 0) return messages;
  }
  return [];
}

function readRequest(value: unknown): ChatMessage[] {
  if (Array.isArray(value)) return readList(value);
  const record = asRecord(value);
  if (!record) return [];
  const listed = readList(record["messages"] ?? record["input"] ?? record["contents"]);
  const single = listed.length > 0 ? listed : (readMessage(record) ?? []);
  const system = asText(record["instructions"]) ?? asText(record["system"]);
  const prompt = single.length === 0 && "model" in record ? asText(record["input"] ?? record["prompt"]) : null;
  const messages = prompt === null ? single : [plain("user", prompt)];
  return system !== null && messages.length > 0 ? [plain("system", system), ...messages] : messages;
}

function readResponse(value: unknown): ChatMessage[] {
  if (Array.isArray(value)) return readList(value);
  const record = asRecord(value);
  if (!record) return [];
  for (const key of ["choices", "output", "candidates", "generations", "messages"]) {
    const held = record[key];
    const list = Array.isArray(held) ? held.map(unwrapCandidate) : held;
    const messages = readList(list);
    if (messages.length > 0) return messages;
  }
  return readMessage(record) ?? [];
}

function unwrapCandidate(value: unknown): unknown {
  const record = asRecord(value);
  const content = asRecord(record?.["content"]);
  return record && content && "parts" in content ? { role: "assistant", ...content } : value;
}

/** LangChain writes a list of lists; a list with a stranger in it is not a conversation. */
function readList(value: unknown): ChatMessage[] {
  const parsed = parseJson(value);
  if (!Array.isArray(parsed)) return [];
  const list: unknown[] = parsed.length === 1 && Array.isArray(parsed[0]) ? parsed[0] : parsed;
  const messages: ChatMessage[] = [];
  for (const item of list) {
    const read = readMessage(item);
    if (!read) return [];
    messages.push(...read);
  }
  return messages;
}

function readGenAi(attributes: Record<string, unknown>, key: string, systemKey?: string): ChatMessage[] {
  const messages = readList(attributes[key]);
  const system = systemKey ? parseJson(attributes[systemKey]) : undefined;
  if (system === undefined || messages.length === 0) return messages;
  const head = readMessage({ role: "system", content: system });
  return [...(head ?? []), ...messages];
}

/** `llm.input_messages.0.message.role` and the like, one attribute for each leaf. */
function readIndexed(attributes: Record<string, unknown>, prefix: string): ChatMessage[] {
  const list = unflatten(attributes, prefix);
  return Array.isArray(list) ? list.flatMap((item) => readIndexedMessage(item)) : [];
}

function readIndexedMessage(item: unknown): ChatMessage[] {
  const holder = asRecord(item);
  const message = asRecord(holder?.["message"]) ?? holder;
  if (!message) return [];
  const calls = Array.isArray(message["tool_calls"]) ? message["tool_calls"] : [];
  const parts = Array.isArray(message["contents"])
    ? message["contents"].map((part: unknown) => asRecord(part)?.["message_content"] ?? part)
    : undefined;
  const written = {
    ...message,
    role: message["role"] ?? "assistant",
    content: message["content"] ?? parts ?? "",
    tool_calls: calls.map((call: unknown) => asRecord(call)?.["tool_call"] ?? call),
  };
  return readMessage(written) ?? [];
}

/** The answer of a chat function that returns bare text. */
function readPlainAnswer(span: Span): ChatMessage[] {
  const text = asText(span.outputs) ?? asText(span.attributes?.["output.value"]);
  return text ? [plain("assistant", text)] : [];
}

function plain(role: string, text: string): ChatMessage {
  return { role, text, toolCalls: [], toolCallId: null, name: null };
}
