import type { Series } from "./charts";

/** Sums from the last series up. Drawn from the first on, each bar covers what is below its own part. */
export function stack(series: readonly Series[]): number[][] {
  const sums: number[][] = [];
  let below: number[] = [];
  for (const { values } of series.toReversed()) {
    below = values.map((value, at) => (below[at] ?? 0) + (value ?? 0));
    sums.unshift(below);
  }
  return sums;
}
