import { describe, expect, it } from "vitest";
import { readConversation } from "@/features/trace/chat/conversation";
import { layOut } from "@/features/trace/chat/turns";
import { makeSpan } from "./spans";

const read = (given: Parameters<typeof makeSpan>[2]) => readConversation(makeSpan("s", null, given));
const said = (messages: { role: string; text: string }[] | undefined) =>
  messages?.map((message) => `${message.role}: ${message.text}`);

const message = (role: string, text: string) => ({ role, content: text });
const CALL = { id: "c1", type: "function", function: { name: "find", arguments: '{"q": 1}' } };

describe("readConversation", () => {
  it("reads OpenAI chat completions with tool calls, also as JSON text", () => {
    const inputs = {
      messages: [
        { role: "system", content: "Be kind" },
        { role: "user", content: [{ type: "text", text: "Hi" }, { type: "image_url", image_url: {} }] },
      ],
    };
    const outputs = { choices: [{ index: 0, message: { role: "assistant", content: null, tool_calls: [CALL] } }] };
    for (const form of [(value: unknown) => value, (value: unknown) => JSON.stringify(value)]) {
      const conversation = read({ inputs: form(inputs), outputs: form(outputs) });
      expect(said(conversation?.input)).toEqual(["system: Be kind", "user: Hi\n\n[image_url]"]);
      expect(conversation?.output[0]?.toolCalls).toEqual([{ id: "c1", name: "find", arguments: { q: 1 } }]);
    }
  });

  it("reads the Responses API", () => {
    const conversation = read({
      inputs: { model: "m", instructions: "Short", input: "Hi" },
      outputs: {
        output: [
          { type: "function_call", call_id: "c", name: "find", arguments: "{}" },
          { type: "message", role: "assistant", content: [{ type: "output_text", text: "Ho" }] },
        ],
      },
    });
    expect(said(conversation?.input)).toEqual(["system: Short", "user: Hi"]);
    expect(said(conversation?.output)).toEqual(["assistant: ", "assistant: Ho"]);
  });

  it("reads Anthropic content blocks", () => {
    const conversation = read({
      inputs: {
        system: "Sys",
        messages: [
          { role: "assistant", content: [{ type: "tool_use", id: "t", name: "find", input: { q: 2 } }] },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "found" }] },
        ],
      },
      outputs: { role: "assistant", type: "message", content: [{ type: "text", text: "Done" }] },
    });
    expect(said(conversation?.input)).toEqual(["system: Sys", "assistant: ", "tool: found"]);
    expect(said(conversation?.output)).toEqual(["assistant: Done"]);
  });

  it("reads LangChain's list of lists", () => {
    const conversation = read({
      inputs: [[{ type: "human", content: "Hi" }]],
      outputs: { generations: [[{ text: "Ho", message: { type: "ai", content: "Ho" } }]] },
    });
    expect(said(conversation?.input)).toEqual(["user: Hi"]);
    expect(said(conversation?.output)).toEqual(["assistant: Ho"]);
  });

  it("reads OpenInference attributes in the order of their numbers", () => {
    const attributes: Record<string, unknown> = {
      "llm.output_messages.0.message.role": "assistant",
      "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
      "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find",
      "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q": 3}',
    };
    for (let n = 11; n >= 0; n -= 1) {
      attributes[`llm.input_messages.${n}.message.role`] = "user";
      attributes[`llm.input_messages.${n}.message.content`] = `m${n}`;
    }
    const conversation = read({ attributes });
    expect(conversation?.input.map((one) => one.text)).toEqual(Array.from({ length: 12 }, (_, n) => `m${n}`));
    expect(conversation?.output[0]?.toolCalls).toEqual([{ id: "c1", name: "find", arguments: { q: 3 } }]);
  });

  it("reads the GenAI conventions, new and old", () => {
    const now = read({
      attributes: {
        "gen_ai.system_instructions": '[{"type": "text", "content": "Sys"}]',
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]}]',
      },
    });
    expect(said(now?.input)).toEqual(["system: Sys", "user: Hi"]);
    expect(now?.output[0]?.toolCalls[0]?.name).toBe("f");
    const before = read({
      attributes: {
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "Hi",
        "gen_ai.completion.0.content": "Ho",
        "gen_ai.completion.0.role": "assistant",
      },
    });
    expect(said(before?.output)).toEqual(["assistant: Ho"]);
  });

  it("is null where nothing is a message", () => {
    expect(read({ inputs: { question: "Hi" }, outputs: "Ho" })).toBeNull();
    expect(read({ inputs: [1, 2], outputs: { type: "report", rows: [] } })).toBeNull();
    expect(read({})).toBeNull();
  });
});

describe("layOut", () => {
  it("pairs a call with its result and keeps both among what is new", () => {
    const conversation = read({
      inputs: {
        messages: [
          message("system", "s"),
          message("user", "u1"),
          message("assistant", "a1"),
          message("user", "u2"),
          { role: "assistant", content: null, tool_calls: [CALL] },
          { role: "tool", tool_call_id: "c1", content: "found" },
        ],
      },
      outputs: message("assistant", "done"),
    });
    const layout = layOut(conversation ?? { input: [], output: [] });
    expect(layout.earlier.map((turn) => turn.message.text)).toEqual(["s", "u1", "a1", "u2"]);
    expect(layout.current).toHaveLength(1);
    expect(layout.current[0]?.calls[0]?.result?.text).toBe("found");
    expect(layout.answer[0]?.message.text).toBe("done");
  });

  it("counts a new question as new, and all of a first call", () => {
    const next = read({ inputs: { messages: [message("user", "1"), message("assistant", "2"), message("user", "3")] } });
    expect(layOut(next ?? { input: [], output: [] }).current.map((turn) => turn.message.text)).toEqual(["3"]);
    const first = read({ inputs: { messages: [message("system", "s"), message("user", "1")] } });
    expect(layOut(first ?? { input: [], output: [] }).earlier).toEqual([]);
  });
});
