import { describe, expect, it } from "vitest";
import { payloadUrl, readLarge } from "@/features/trace/large";
import { readSkeleton } from "@/features/trace/skeleton";
import { formatBytes } from "@/shared/format";

describe("readSkeleton", () => {
  it("puts the columns of each span together", () => {
    const spans = readSkeleton("tr-1", {
      span_count: 2,
      base_ns: 1000,
      words: ["answer", "AGENT", "OK", "chat", "LLM", "ERROR", "gpt", "openai", "Timeout: late"],
      span_id: ["a", "b"],
      parent_span_id: [null, "a"],
      start_ns: [0, 5],
      duration_ns: [null, 7],
      name: [0, 3],
      span_type: [1, 4],
      status: [2, 5],
      model: [null, 6],
      provider: [null, 7],
      error: [null, 8],
      input_tokens: [null, 3],
      output_tokens: [null, 4],
      total_tokens: [null, 7],
      total_cost: [null, 0.5],
      next_page_token: null,
    });
    expect(spans).toEqual([
      {
        trace_id: "tr-1",
        span_id: "a",
        parent_span_id: null,
        name: "answer",
        span_type: "AGENT",
        start_time_unix_nano: 1000,
        end_time_unix_nano: null,
        status: "OK",
        model: null,
        provider: null,
        token_usage: null,
        cost: null,
      },
      {
        trace_id: "tr-1",
        span_id: "b",
        parent_span_id: "a",
        name: "chat",
        span_type: "LLM",
        start_time_unix_nano: 1005,
        end_time_unix_nano: 1012,
        status: "ERROR",
        model: "gpt",
        provider: "openai",
        token_usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
        cost: { total_cost: 0.5 },
      },
    ]);
  });
});

describe("readLarge", () => {
  it("knows a marker from any other value", () => {
    const told = { type: "text", field: "attributes.input.value", head: "abc", size_bytes: 70_000 };
    expect(readLarge({ $large: told })).toEqual(told);
    for (const other of [null, "text", [1], {}, { $large: 1 }, { $large: { field: "x" } }]) {
      expect(readLarge(other)).toBeNull();
    }
  });

  it("says where to read it", () => {
    expect(payloadUrl({ trace_id: "tr-1", span_id: "a" }, "attributes.x y")).toBe(
      "/api/v1/traces/tr-1/spans/a/payload?field=attributes.x%20y",
    );
    expect([512, 65_537, 20 * 1024 * 1024].map(formatBytes)).toEqual(["512 B", "64 KB", "20 MB"]);
  });
});
