import { describe, expect, it } from "vitest";
import { formatAge, formatCost, formatCount, formatDuration } from "@/shared/format";

describe("formatDuration", () => {
  it.each([
    [null, "–"],
    [0, "0 ms"],
    [0.4234, "0.42 ms"],
    [412.4, "412 ms"],
    [999.6, "1.00 s"],
    [1350, "1.35 s"],
    [10_060, "10.1 s"],
    [59_999, "1 m 00 s"],
    [125_000, "2 m 05 s"],
    [3_599_900, "1 h 00 m"],
    [3_840_000, "1 h 04 m"],
  ])("%s ms is %s", (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe("formatCount", () => {
  it.each([
    [undefined, "–"],
    [950, "950"],
    [12_900, "12.9k"],
    [999_960, "1M"],
    [3_400_000, "3.4M"],
  ])("%s is %s", (count, text) => expect(formatCount(count)).toBe(text));
});

describe("formatCost", () => {
  it.each([
    [null, "–"],
    [0, "$0"],
    [0.0019, "$0.0019"],
    [0.02, "$0.020"],
    [0.0999, "$0.10"],
    [1.239, "$1.24"],
    [1e-9, "<$0.000001"],
  ])("%s is %s", (usd, text) => expect(formatCost(usd)).toBe(text));
});

describe("formatAge", () => {
  it.each([
    [1_000, "just now"],
    [240_000, "4 min ago"],
    [7_200_000, "2 h ago"],
    [432_000_000, "5 d ago"],
  ])("%s ms back is %s", (back, text) => expect(formatAge(1e12 - back, 1e12)).toBe(text));
});
