// The same numbers of two sets of traces, each with its interval.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type DataPoint, queryMetric } from "@/shared/query/metrics";
import { type Scope, type ScopeBody, scopeBody } from "@/shared/query/scope";
import { addTerm } from "@/shared/query/terms";
import { boundsOfQuantile, type Estimate, estimateShare } from "@/shared/stats";
import type { Unit } from "./units";

export type Measured = {
  id: string;
  label: string;
  unit: Unit;
  /** Whether more of it is worse; undefined where it is neither. */
  worse?: "more" | "less";
  /** The term whose traces are counted, where it is a share of them. */
  term?: string;
  estimate: Estimate | null;
};
export type Side = { count: number; rows: Measured[] };

const QUANTILES = [
  { metric: "latency", label: "Latency", unit: "milliseconds", quantiles: [0.5, 0.95] },
  { metric: "total_cost", label: "Cost of a trace", unit: "dollars", quantiles: [0.5, 0.95] },
  { metric: "total_tokens", label: "Tokens of a trace", unit: "count", quantiles: [0.5] },
] as const;

export function sideQuery(scope: Scope) {
  return queryOptions({
    queryKey: ["compare-side", scope],
    queryFn: ({ signal }): Promise<Side> => measure(scopeBody(scope), signal),
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

async function measure(body: ScopeBody, signal: AbortSignal): Promise<Side> {
  const count = await countOf(body, signal);
  const groups = await Promise.all([
    measureShares(body, count, signal),
    ...QUANTILES.map((each) => measureQuantiles(body, each, signal)),
    measureTools(body, count, signal),
    measureScores(body, signal),
  ]);
  return { count, rows: groups.flat() };
}

async function countOf(body: ScopeBody, signal: AbortSignal, term?: string): Promise<number> {
  const narrowed = term ? { ...body, q: addTerm(body.q ?? "", term) } : body;
  const [point] = await queryMetric(narrowed, { metric: "trace_count", aggregations: ["COUNT"] }, signal);
  return point?.values["COUNT"] ?? 0;
}

async function measureShares(body: ScopeBody, count: number, signal: AbortSignal): Promise<Measured[]> {
  const [failed, errors] = await Promise.all(["failed", "errors"].map((term) => countOf(body, signal, term)));
  const share = (id: string, label: string, part = 0): Measured => ({
    id,
    label,
    unit: "share",
    worse: "more",
    term: id,
    estimate: estimateShare(part, count),
  });
  return [share("failed", "Failed", failed), share("errors", "With errors", errors)];
}

async function measureQuantiles(
  body: ScopeBody,
  { metric, label, unit, quantiles }: (typeof QUANTILES)[number],
  signal: AbortSignal,
): Promise<Measured[]> {
  const [known] = await queryMetric(body, { metric, aggregations: ["COUNT"] }, signal);
  const count = known?.values["COUNT"] ?? 0;
  const asked = quantiles.map((quantile) => {
    const bounds = boundsOfQuantile(quantile, count);
    return [quantile * 100, bounds.low, bounds.high].map(nameOf);
  });
  const [point] = count > 0 ? await queryMetric(body, { metric, aggregations: [...new Set(asked.flat())] }, signal) : [];
  return quantiles.map((quantile, at) => ({
    id: `${metric}-${quantile}`,
    label: `${label}, p${quantile * 100}`,
    unit,
    worse: "more",
    estimate: point ? readEstimate(point, asked[at] ?? []) : null,
  }));
}

/** How many of the traces call each tool. */
async function measureTools(body: ScopeBody, count: number, signal: AbortSignal): Promise<Measured[]> {
  const asked = { metric: "trace_count", aggregations: ["COUNT"], dimensions: ["tool"] };
  const points = await queryMetric(body, asked, signal);
  return points.flatMap((point): Measured[] => {
    const tool = point.dimensions["tool"];
    if (!tool) return [];
    const estimate = estimateShare(point.values["COUNT"] ?? 0, count);
    return [{ id: `tool-${tool}`, label: `Calls ${tool}`, unit: "share", estimate }];
  });
}

/** Feedback of yes and no, or between 0 and 1: the share of yes. */
async function measureScores(body: ScopeBody, signal: AbortSignal): Promise<Measured[]> {
  const asked = { metric: "assessment_value", aggregations: ["COUNT", "SUM", "MIN", "MAX"] };
  const points = await queryMetric(body, { ...asked, dimensions: ["assessment_name"] }, signal);
  return points.flatMap(({ dimensions, values }): Measured[] => {
    const name = dimensions["assessment_name"];
    if (!name || (values["MIN"] ?? 0) < 0 || (values["MAX"] ?? 0) > 1) return [];
    const estimate = estimateShare(values["SUM"] ?? 0, values["COUNT"] ?? 0);
    return [{ id: `score-${name}`, label: name, unit: "share", worse: "less", estimate }];
  });
}

function nameOf(percent: number): string {
  return `P${Number(percent.toFixed(3))}`;
}

function readEstimate(point: DataPoint, [value = "", low = "", high = ""]: readonly string[]): Estimate {
  const { values } = point;
  return { value: values[value] ?? 0, low: values[low] ?? 0, high: values[high] ?? 0 };
}
