import { describe, expect, it } from "vitest";
import { joinRows } from "@/features/versions/rows";
import { formatDifference, formatInterval } from "@/features/versions/units";
import { parseVersionsSearch } from "@/features/versions/versions-search";
import { boundsOfQuantile, differenceOf, estimateShare, isClear } from "@/shared/stats";

/** The same numbers for the same seed (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function percentile(sorted: readonly number[], percent: number): number {
  const rank = ((sorted.length - 1) * percent) / 100;
  const [low, high] = [sorted[Math.floor(rank)] ?? 0, sorted[Math.ceil(rank)] ?? 0];
  return low + (high - low) * (rank - Math.floor(rank));
}

function estimateMedian(sample: readonly number[]) {
  const { low, high } = boundsOfQuantile(0.5, sample.length);
  return { value: percentile(sample, 50), low: percentile(sample, low), high: percentile(sample, high) };
}

const row = (id: string) => ({ id, label: id, unit: "count" as const, estimate: null });

describe("estimateShare", () => {
  it("is Wilson's, as published", () => {
    // Newcombe 1998, Statistics in Medicine 17: 857, table I.
    const told = estimateShare(81, 263);
    expect(told?.low).toBeCloseTo(0.2553, 4);
    expect(told?.high).toBeCloseTo(0.3662, 4);
    expect(estimateShare(0, 20)?.low).toBe(0);
    expect(estimateShare(0, 20)?.high).toBeCloseTo(0.1611, 4);
    expect(estimateShare(0, 0)).toBeNull();
  });
});

describe("differenceOf", () => {
  it("is Newcombe's method 10, as published", () => {
    // Newcombe 1998, Statistics in Medicine 17: 873, table II: 56/70 and 48/80.
    const [a, b] = [estimateShare(48, 80), estimateShare(56, 70)];
    const told = a && b ? differenceOf(a, b) : null;
    expect(told?.value).toBeCloseTo(0.2, 4);
    expect(told?.low).toBeCloseTo(0.0524, 4);
    expect(told?.high).toBeCloseTo(0.3339, 4);
  });

  it("holds the true difference of two medians nineteen times of twenty", () => {
    const random = makeRandom(7);
    const draw = (count: number, median: number): number[] =>
      Array.from({ length: count }, () => (-Math.log(1 - random()) * median) / Math.LN2).toSorted((x, y) => x - y);
    let held = 0;
    const rounds = 600;
    for (let n = 0; n < rounds; n++) {
      const told = differenceOf(estimateMedian(draw(120, 100)), estimateMedian(draw(200, 130)));
      if (told.low <= 30 && told.high >= 30) held++;
    }
    expect(held / rounds).toBeGreaterThan(0.92);
    expect(held / rounds).toBeLessThan(0.98);
  });

  it("tells what may be chance", () => {
    expect(isClear({ low: -1, high: 2 })).toBe(false);
    expect(isClear({ low: 0.1, high: 2 })).toBe(true);
    expect(isClear({ low: -2, high: -0.1 })).toBe(true);
  });
});

describe("compared rows", () => {
  it("have both sides, and what only one has", () => {
    const rows = joinRows([row("x"), row("y")], [row("y"), row("z")]);
    expect(rows.map(({ id, a, b }) => [id, Boolean(a), Boolean(b)])).toEqual([
      ["x", true, false],
      ["y", true, true],
      ["z", false, true],
    ]);
  });
  it("tell differences with their sign", () => {
    expect(formatDifference("share", -0.0123)).toBe("−1.2 pts");
    expect(formatDifference("milliseconds", 1500)).toBe("+1.50 s");
    expect(formatInterval("dollars", { value: 0, low: -0.5, high: 1 })).toBe("−$0.50 to +$1.00");
  });
});

describe("parseVersionsSearch", () => {
  it("reads both sides back", () => {
    const search = { a: "release:1", b: "release:2 env:prod", range: "7d" };
    expect(parseVersionsSearch(search)).toEqual(search);
    expect(parseVersionsSearch({ a: " ", b: 3 })).toEqual({ b: "3" });
  });
});
