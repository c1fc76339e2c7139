import { describe, expect, it } from "vitest";
import { writeEntry, writeValue } from "@/features/trace/log/lines";
import { parseTraceSearch } from "@/features/trace/trace-search";
import type { Span } from "@/shared/api/types";

const span = {
  span_id: "ab",
  name: "search",
  span_type: "TOOL",
  start_time_unix_nano: 2_500_000_000,
  end_time_unix_nano: 2_750_000_000,
  status: "ERROR",
  error: "TimeoutError: late",
  status_message: "late",
  inputs: '{"q": "x"}',
  outputs: null,
} as unknown as Span;

describe("writeEntry", () => {
  it("tells when, what, how long and what went wrong", () => {
    const entry = writeEntry(span, 2_000_000_000);
    expect([entry.at, entry.name, entry.duration, entry.failed]).toEqual(["+500 ms", "search", "250 ms", true]);
    expect(entry.parts).toEqual([
      { label: "in", text: '{\n  "q": "x"\n}' },
      { label: "error", text: "TimeoutError: late" },
    ]);
    expect(writeEntry({ ...span, end_time_unix_nano: null }, 0).duration).toBe("running");
  });
});

describe("writeValue", () => {
  it("keeps texts, and cuts what is too long where it says so", () => {
    expect(writeValue("a\nb")).toBe("a\nb");
    expect(writeValue("x".repeat(30_000))).toContain("30,000 characters in all");
    expect(writeValue(undefined)).toBe("");
  });
});

describe("parseTraceSearch", () => {
  it("reads the view back", () => {
    expect(parseTraceSearch({ view: "log", tab: "io", span: 12 })).toEqual({ view: "log", tab: "io", span: "12" });
    expect(parseTraceSearch({ view: "tree" })).toEqual({});
  });
});
