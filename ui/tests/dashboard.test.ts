import { describe, expect, it } from "vitest";
import { byDimension, CHARTS, formatUnit, valuesAt } from "@/features/dashboard/charts";
import { stack } from "@/features/dashboard/stack";
import type { DataPoint } from "@/shared/query/metrics";

const BUCKETS = { sizeMs: 10, starts: [0, 10, 20] };
const point = (time_ms: number, value: number, model?: string | null): DataPoint => ({
  time_ms,
  values: { SUM: value, COUNT: value },
  dimensions: model === undefined ? {} : { model },
});

describe("valuesAt", () => {
  it("has a value for each piece of time, and a gap where nothing was measured", () => {
    expect(valuesAt([point(10, 5)], "SUM", BUCKETS, null)).toEqual([null, 5, null]);
    expect(valuesAt([point(10, 5)], "SUM", BUCKETS, 0)).toEqual([0, 5, 0]);
  });
});

describe("byDimension", () => {
  it("puts the largest first and adds up the rest", () => {
    const points = Array.from({ length: 9 }, (_, n) => point(0, n + 1, `m${n}`));
    const series = byDimension([...points, point(10, 100, null)], "model", "SUM", BUCKETS);
    expect(series.map(({ label }) => label)).toEqual(["none", "m8", "m7", "m6", "m5", "m4", "4 others"]);
    expect(series.at(-1)?.values).toEqual([1 + 2 + 3 + 4, 0, 0]);
    const sum = series.flatMap(({ values }) => values).reduce((a, b) => (a ?? 0) + (b ?? 0), 0);
    expect(sum).toBe(145);
  });
});

describe("stack", () => {
  it("draws the first series on top of those after it", () => {
    const series = [
      { label: "a", color: "", values: [1, null] },
      { label: "b", color: "", values: [2, 3] },
    ];
    expect(stack(series)).toEqual([[3, 3], [2, 3]]);
  });
});

describe("charts", () => {
  it("have names of their own, and take an empty answer", () => {
    expect(new Set(CHARTS.map(({ id }) => id)).size).toBe(CHARTS.length);
    for (const chart of CHARTS) {
      for (const { values } of chart.series([], BUCKETS)) expect(values).toHaveLength(3);
    }
  });
  it("write numbers as people read them", () => {
    expect(formatUnit("share", 0.0512)).toBe("5.1 %");
    expect(formatUnit("dollars", null)).toBe("–");
  });
});
