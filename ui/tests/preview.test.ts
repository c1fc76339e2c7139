import { describe, expect, it } from "vitest";
import { findFailures } from "@/features/trace/exception";
import { previewLine, readPreview } from "@/shared/preview";
import { makeSpan } from "./spans";

describe("readPreview", () => {
  it.each([
    ["plain text", "plain text"],
    ['"quoted"', "quoted"],
    ['{"question": "Why?"}', "Why?"],
    ['{"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "s"}]}', "Hi"],
    ['{"choices": [{"message": {"content": "Ho"}}]}', "Ho"],
    ['{"a": 1, "b": 2}', '{"a": 1, "b": 2}'],
    ['{"messages": [{"role": "us', '{"messages": [{"role": "us'],
  ])("%s reads as %s", (preview, text) => expect(readPreview(preview)).toBe(text));

  it("is one line in a list", () => expect(previewLine("a\n\n b")).toBe("a b"));
  it("is empty without one", () => expect(previewLine(null)).toBe(""));
});

describe("findFailures", () => {
  it("takes the exception before the status message", () => {
    const attributes = { "exception.type": "KeyError", "exception.message": "x", "exception.stacktrace": "Trace" };
    const events = [{ name: "exception", time_unix_nano: 1, attributes }];
    expect(findFailures(makeSpan("s", null, { status: "ERROR", status_message: "m", events }))).toEqual([
      { type: "KeyError", message: "x", stackTrace: "Trace" },
    ]);
    expect(findFailures(makeSpan("s", null, { status: "ERROR", status_message: "m" }))[0]?.message).toBe("m");
    expect(findFailures(makeSpan("s", null))).toEqual([]);
  });
});
