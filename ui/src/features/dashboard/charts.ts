// The charts of the dashboard: what each asks the server, and the lines or bars it makes of the answer.
import { formatCost, formatCount, formatDuration, formatPercent } from "@/shared/format";
import type { Buckets } from "@/shared/query/buckets";
import type { DataPoint } from "@/shared/query/metrics";

export type Unit = "count" | "share" | "milliseconds" | "dollars";

/** One number a piece of time; null where there was nothing to measure. */
export type Series = { label: string; color: string; values: (number | null)[] };

type Ask = { metric: string; aggregations: string[]; dimension?: string };

export type Chart = {
  id: string;
  title: string;
  unit: Unit;
  kind: "bars" | "lines";
  asks: readonly Ask[];
  /** From the answers, in the order of the asks. */
  series: (answers: readonly (readonly DataPoint[])[], buckets: Buckets) => Series[];
};

const TOP = 6;
const COLORS = ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6", "--chart-7"];
const STATES = [
  { state: "ERROR", label: "Failed", color: "--error" },
  { state: "IN_PROGRESS", label: "Running", color: "--run" },
  { state: "OK", label: "OK", color: "--ok" },
];

export const CHARTS: readonly Chart[] = [
  {
    id: "traces",
    title: "Traces",
    unit: "count",
    kind: "bars",
    asks: [{ metric: "trace_count", aggregations: ["COUNT"], dimension: "trace_status" }],
    series: ([points = []], buckets) =>
      STATES.map(({ state, label, color }) => {
        const own = points.filter(({ dimensions }) => dimensions["trace_status"] === state);
        return { label, color, values: valuesAt(own, "COUNT", buckets, 0) };
      }).filter(({ label, values }) => label === "OK" || values.some(Boolean)),
  },
  {
    id: "failed",
    title: "Failed",
    unit: "share",
    kind: "lines",
    asks: [{ metric: "error_rate", aggregations: ["AVG"] }],
    series: ([points = []], buckets) => [
      { label: "Failed", color: "--error", values: valuesAt(points, "AVG", buckets, null) },
    ],
  },
  {
    id: "latency",
    title: "Latency",
    unit: "milliseconds",
    kind: "lines",
    asks: [{ metric: "latency", aggregations: ["P50", "P95", "P99"] }],
    series: ([points = []], buckets) =>
      ["P50", "P95", "P99"].map((name, at) => ({
        label: name.toLowerCase(),
        color: COLORS[at] ?? "",
        values: valuesAt(points, name, buckets, null),
      })),
  },
  {
    id: "cost",
    title: "Cost",
    unit: "dollars",
    kind: "bars",
    asks: [{ metric: "span_total_cost", aggregations: ["SUM"], dimension: "model" }],
    series: ([points = []], buckets) => byDimension(points, "model", "SUM", buckets),
  },
  {
    id: "tokens",
    title: "Tokens",
    unit: "count",
    kind: "bars",
    asks: [
      { metric: "input_tokens", aggregations: ["SUM"] },
      { metric: "output_tokens", aggregations: ["SUM"] },
    ],
    series: ([input = [], output = []], buckets) => [
      { label: "Output", color: "--chart-2", values: valuesAt(output, "SUM", buckets, 0) },
      { label: "Input", color: "--chart-1", values: valuesAt(input, "SUM", buckets, 0) },
    ],
  },
  {
    id: "model-latency",
    title: "Model latency, p95",
    unit: "milliseconds",
    kind: "lines",
    asks: [{ metric: "span_latency", aggregations: ["P95", "COUNT"], dimension: "model" }],
    series: ([points = []], buckets) => linesOf(points, "model", "P95", buckets),
  },
  {
    id: "tool-latency",
    title: "Tool latency, p95",
    unit: "milliseconds",
    kind: "lines",
    asks: [{ metric: "span_latency", aggregations: ["P95", "COUNT"], dimension: "tool" }],
    series: ([points = []], buckets) => linesOf(points, "tool", "P95", buckets),
  },
  {
    id: "people",
    title: "Users and sessions",
    unit: "count",
    kind: "lines",
    asks: [
      { metric: "user_count", aggregations: ["COUNT"] },
      { metric: "session_count", aggregations: ["COUNT"] },
    ],
    series: ([users = [], sessions = []], buckets) => [
      { label: "Users", color: "--chart-1", values: valuesAt(users, "COUNT", buckets, 0) },
      { label: "Sessions", color: "--chart-2", values: valuesAt(sessions, "COUNT", buckets, 0) },
    ],
  },
];

export function formatUnit(unit: Unit, value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  switch (unit) {
    case "count":
      return formatCount(value);
    case "share":
      return formatPercent(value);
    case "milliseconds":
      return formatDuration(value);
    case "dollars":
      return formatCost(value);
  }
}

/** A value for each piece of time; `missing` where no point is. */
export function valuesAt(
  points: readonly DataPoint[],
  aggregation: string,
  buckets: Buckets,
  missing: number | null,
): (number | null)[] {
  const found = new Map(points.map((point) => [point.time_ms, point.values[aggregation]]));
  return buckets.starts.map((startMs) => found.get(startMs) ?? missing);
}

/** The largest values of a dimension each with a series of their own, the others added up in one. */
export function byDimension(
  points: readonly DataPoint[],
  dimension: string,
  aggregation: string,
  buckets: Buckets,
): Series[] {
  const names = rank(points, dimension, aggregation);
  const series = names.slice(0, TOP).map((name, at) => {
    const own = points.filter((point) => (point.dimensions[dimension] ?? null) === name);
    return { label: name ?? "none", color: COLORS[at] ?? "", values: valuesAt(own, aggregation, buckets, 0) };
  });
  const others = new Set(names.slice(TOP));
  if (others.size === 0) return series;
  const values = buckets.starts.map(() => 0);
  for (const point of points) {
    const at = buckets.starts.indexOf(point.time_ms ?? -1);
    if (at >= 0 && others.has(point.dimensions[dimension] ?? null)) {
      values[at] = (values[at] ?? 0) + (point.values[aggregation] ?? 0);
    }
  }
  return [...series, { label: `${others.size} others`, color: "--text-3", values }];
}

/** The values that are met most, each with a line; percentiles of the others cannot be added up. */
function linesOf(points: readonly DataPoint[], dimension: string, aggregation: string, buckets: Buckets): Series[] {
  const named = points.filter((point) => point.dimensions[dimension]);
  return rank(named, dimension, "COUNT")
    .slice(0, TOP)
    .map((name, at) => {
      const own = named.filter((point) => point.dimensions[dimension] === name);
      return { label: name ?? "none", color: COLORS[at] ?? "", values: valuesAt(own, aggregation, buckets, null) };
    });
}

function rank(points: readonly DataPoint[], dimension: string, aggregation: string): (string | null)[] {
  const sums = new Map<string | null, number>();
  for (const point of points) {
    const name = point.dimensions[dimension] ?? null;
    sums.set(name, (sums.get(name) ?? 0) + (point.values[aggregation] ?? 0));
  }
  return [...sums]
    .filter(([, sum]) => sum > 0)
    .toSorted((a, b) => b[1] - a[1])
    .map(([name]) => name);
}
