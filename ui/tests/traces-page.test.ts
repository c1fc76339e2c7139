import { describe, expect, it } from "vitest";
import { fillBars } from "@/features/traces/histogram-data";
import { waysOut } from "@/features/traces/no-match";
import { withoutField } from "@/features/traces/rail-fields";
import { chosenStatuses, readStatuses, toggleStatus } from "@/features/traces/status-facet";
import { parseTracesSearch } from "@/features/traces/traces-search";
import { cutInto, writeRange } from "@/shared/query/buckets";
import { scopeBody } from "@/shared/query/scope";
import { parseTimeRange } from "@/shared/time-range";

const NOW = 1_764_000_000_000;
const point = (time_ms: number, count: number, trace_status?: string) => ({
  time_ms,
  values: { COUNT: count },
  dimensions: trace_status ? { trace_status } : {},
});
const facet = (field: string, value: string, count: number) => ({
  field,
  values: [{ value, count }],
  value_count: 1,
  is_exact: true,
});

describe("parseTracesSearch", () => {
  it("drops what it does not know and what is the default", () => {
    expect(parseTracesSearch({ q: " ", range: "all", live: true, x: 1 })).toEqual({});
  });
  it("reads every state back", () => {
    const search = { q: "failed", range: "3h", live: false, facets: false } as const;
    expect(parseTracesSearch(search)).toEqual(search);
    expect(parseTracesSearch({ q: 42 })).toEqual({ q: "42" });
  });
});

describe("scopeBody", () => {
  it("says what every request needs", () => {
    expect(scopeBody({ experimentId: "1" }, NOW)).toEqual({ experiment_ids: ["1"] });
    expect(scopeBody({ experimentId: "1", q: "failed", range: "1h" }, NOW)).toEqual({
      experiment_ids: ["1"],
      q: "failed",
      start_time_ms: NOW - 3_600_000,
    });
  });
});

describe("buckets", () => {
  it("hold the whole span, in pieces people know", () => {
    for (const spanMs of [1, 900, 60_000, 3_600_000, 86_400_000, 30 * 86_400_000, 9 * 365 * 86_400_000]) {
      const { sizeMs, starts } = cutInto(NOW - spanMs, NOW, 72);
      expect(starts.length).toBeLessThanOrEqual(72);
      expect(starts[0]).toBeLessThanOrEqual(NOW - spanMs);
      expect((starts.at(-1) ?? 0) + sizeMs).toBeGreaterThanOrEqual(NOW);
      expect((starts[0] ?? 1) % sizeMs).toBe(0);
    }
  });
  it("make a range that is read back", () => {
    expect(parseTimeRange(writeRange(NOW, NOW + 5000))).toEqual({ fromMs: NOW, untilMs: NOW + 5000 });
  });
});

describe("fillBars", () => {
  it("counts every trace once", () => {
    const buckets = { sizeMs: 10, starts: [0, 10] };
    const byStatus = [point(0, 5, "OK"), point(0, 2, "ERROR"), point(0, 1, "IN_PROGRESS"), point(90, 1, "OK")];
    expect(fillBars(buckets, byStatus, [point(0, 3)])).toEqual([
      { startMs: 0, ok: 2, errors: 3, failed: 2, running: 1 },
      { startMs: 10, ok: 0, errors: 0, failed: 0, running: 0 },
    ]);
  });
});

describe("status facet", () => {
  it("reads two facets", () => {
    const told = readStatuses([facet("status", "ERROR", 2), facet("span.status", "ERROR", 5)]);
    expect(told.map(({ word, count }) => [word, count])).toEqual([["failed", 2], ["errors", 5], ["ok", 0], ["running", 0]]);
  });
  it("knows a word and a value as the same", () => {
    expect(chosenStatuses("failed status:ok")).toEqual(["ok", "failed"]);
    expect(toggleStatus("failed user:a", "failed")).toBe("user:a");
    expect(toggleStatus("user:a", "failed")).toBe("user:a status:failed");
    expect(toggleStatus("status:failed", "ok")).toBe("status:failed,ok");
    expect(toggleStatus("failed", "ok")).toBe("status:failed,ok");
    expect(toggleStatus("failed or user:a", "ok")).toBe("(failed or user:a) status:ok");
    expect(chosenStatuses("not failed")).toEqual([]);
    expect(withoutField("failed status:ok user:a", "status")).toBe("user:a");
    expect(withoutField("failed or user:a", "status")).toBe("failed or user:a");
  });
});

describe("waysOut", () => {
  it("leaves out one condition each", () => {
    expect(waysOut({ q: "failed user:a", range: "1h" }).map(({ next }) => next)).toEqual([
      { q: "user:a" }, { q: "failed" }, { q: undefined }, { range: undefined },
    ]);
    expect(waysOut({ q: "a or b" })).toHaveLength(1);
  });
});
