import { describe, expect, it } from "vitest";
import { refreshEveryMs } from "@/features/trace/api/get-trace";
import { findTicks, findWindow, placeBar } from "@/features/trace/timeline";
import { makeSpan } from "./spans";
import { makeTrace } from "./traces";

const at = (start: number, end: number | null) =>
  makeSpan("s", null, { start_time_unix_nano: start, end_time_unix_nano: end });

describe("findWindow", () => {
  it("spans all, and reaches to now while one runs", () => {
    expect(findWindow([at(10, 20), at(5, 15)], 99)).toEqual({ fromNs: 5, untilNs: 20 });
    expect(findWindow([at(10, 20), at(12, null)], 99)).toEqual({ fromNs: 10, untilNs: 99 });
    expect(findWindow([], 99)).toEqual({ fromNs: 0, untilNs: 1 });
  });
});

describe("placeBar", () => {
  const window = { fromNs: 100, untilNs: 200 };
  it("places, clips and leaves out", () => {
    expect(placeBar(at(125, 175), window, 0)).toEqual({ left: 0.25, width: 0.5 });
    expect(placeBar(at(50, 150), window, 0)).toEqual({ left: 0, width: 0.5 });
    expect(placeBar(at(10, 20), window, 0)).toBeNull();
    expect(placeBar(at(150, null), window, 200)).toEqual({ left: 0.5, width: 0.5 });
  });
});

describe("findTicks", () => {
  it("stands at round times from the start of the trace", () => {
    expect(findTicks({ fromNs: 0, untilNs: 7e9 }, 0, 4)).toEqual([0, 2000, 4000, 6000]);
    expect(findTicks({ fromNs: 0, untilNs: 500e9 }, 0, 4)).toEqual([0, 300_000]);
    expect(findTicks({ fromNs: 1e9, untilNs: 2e9 }, 1e9, 4)).toEqual([0, 500]);
  });
});

describe("refreshEveryMs", () => {
  const start = Date.parse("2026-11-24T07:44:52Z");
  it("asks again while young or running, then stops", () => {
    expect(refreshEveryMs(makeTrace("t"), start + 10_000)).toBe(1500);
    expect(refreshEveryMs(makeTrace("t"), start + 600_000)).toBe(false);
    const running = makeTrace("t", { state: "IN_PROGRESS", execution_duration_ms: null });
    expect(refreshEveryMs(running, start + 600_000)).toBe(1500);
    expect(refreshEveryMs(running, start + 7_200_000)).toBe(15_000);
  });
});
