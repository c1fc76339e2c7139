// How a conversation is laid out: each tool call with its result, and old messages apart from new.
import type { ChatMessage, Conversation, ToolCall } from "./message";

export type PairedCall = ToolCall & { result: ChatMessage | null };
export type Turn = { message: ChatMessage; calls: PairedCall[] };
export type Layout = { earlier: Turn[]; current: Turn[]; answer: Turn[] };

/**
 * `earlier` was there at the model call before this one: all that stands before the last message of
 * the assistant. `current` is what came since, `answer` what this call gave.
 */
export function layOut({ input, output }: Conversation): Layout {
  const turns = pairCalls(input);
  const lastAnswer = turns.findLastIndex((turn) => turn.message.role === "assistant");
  const spokenSince = turns.slice(lastAnswer + 1).some((turn) => turn.message.role === "user");
  // Where the assistant's last message asked for tools, their results are what is new: it stays.
  const split = spokenSince ? lastAnswer + 1 : Math.max(lastAnswer, 0);
  return { earlier: turns.slice(0, split), current: turns.slice(split), answer: pairCalls(output) };
}

function pairCalls(messages: readonly ChatMessage[]): Turn[] {
  const turns: Turn[] = [];
  const open = new Map<string, PairedCall>();
  for (const message of messages) {
    const asked = message.role === "tool" && message.toolCallId ? open.get(message.toolCallId) : undefined;
    if (asked && !asked.result) {
      asked.result = message;
      continue;
    }
    const calls = message.toolCalls.map((call): PairedCall => ({ ...call, result: null }));
    for (const call of calls) if (call.id) open.set(call.id, call);
    turns.push({ message, calls });
  }
  return turns;
}
