import { describe, expect, it } from "vitest";
import { nameTimeRange, parseTimeRange } from "@/shared/time-range";

const NOW = Date.parse("2026-11-24T12:00:00Z");

describe("parseTimeRange", () => {
  it("reads relative ranges from now", () => {
    expect(parseTimeRange("25m", NOW)).toEqual({ fromMs: NOW - 1_500_000 });
    expect(parseTimeRange("3h", NOW)).toEqual({ fromMs: NOW - 10_800_000 });
  });

  it("takes empty text for all time", () => expect(parseTimeRange("", NOW)).toEqual({}));

  it("reads open and closed ranges, the last day whole", () => {
    const from = Date.parse("2026-11-20T00:00");
    expect(parseTimeRange("2026-11-20..", NOW)).toEqual({ fromMs: from });
    expect(parseTimeRange("2026-11-20..2026-11-21", NOW)).toEqual({ fromMs: from, untilMs: from + 172_800_000 });
  });

  it.each(["soon", "..", "2026-99-99..", "5 parsecs"])("refuses %s", (text) => {
    expect(parseTimeRange(text, NOW)).toBeNull();
  });

  it("names the known ranges", () => {
    expect(nameTimeRange("1h")).toBe("Last hour");
    expect(nameTimeRange("25m")).toBe("25m");
  });
});
