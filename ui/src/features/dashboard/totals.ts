// The numbers above the charts.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import { queryMetric } from "@/shared/query/metrics";
import type { ScopeBody } from "@/shared/query/scope";
import { addTerm } from "@/shared/query/terms";

export type Totals = {
  traces: number;
  failed: number;
  withErrors: number;
  users: number;
  p50: number | null;
  p95: number | null;
  cost: number | null;
  tokens: number | null;
};

export function totalsQuery(body: ScopeBody) {
  return queryOptions({
    queryKey: ["dashboard", "totals", body],
    queryFn: async ({ signal }): Promise<Totals> => {
      const one = async (metric: string, ...aggregations: string[]): Promise<Record<string, number>> =>
        (await queryMetric(body, { metric, aggregations }, signal))[0]?.values ?? {};
      const errors = { ...body, q: addTerm(body.q ?? "", "errors") };
      const [traces, failed, users, latency, cost, tokens, withErrors] = await Promise.all([
        one("trace_count", "COUNT"),
        one("error_count", "COUNT"),
        one("user_count", "COUNT"),
        one("latency", "P50", "P95"),
        one("total_cost", "SUM"),
        one("total_tokens", "SUM"),
        queryMetric(errors, { metric: "trace_count", aggregations: ["COUNT"] }, signal),
      ]);
      return {
        traces: traces["COUNT"] ?? 0,
        failed: failed["COUNT"] ?? 0,
        withErrors: withErrors[0]?.values["COUNT"] ?? 0,
        users: users["COUNT"] ?? 0,
        p50: latency["P50"] ?? null,
        p95: latency["P95"] ?? null,
        cost: cost["SUM"] ?? null,
        tokens: tokens["SUM"] ?? null,
      };
    },
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

export type RankRow = { name: string; traces: number; failedSpans: number; cost: number | null; p95: number | null };

const MEASURES = [
  { metric: "trace_count", aggregation: "COUNT" },
  { metric: "span_error_count", aggregation: "COUNT" },
  { metric: "span_total_cost", aggregation: "SUM" },
  { metric: "span_latency", aggregation: "P95" },
];

/** The models or the tools of the traces, the one in most of them first. */
export function rankQuery(body: ScopeBody, dimension: "model" | "tool") {
  return queryOptions({
    queryKey: ["dashboard", "rank", body, dimension],
    queryFn: async ({ signal }): Promise<RankRow[]> => {
      const asked = { ...body, measures: MEASURES, dimensions: [dimension], max_groups: 13 };
      const { groups } = await unwrap(api.POST("/api/v1/traces/groups", { body: asked, signal }));
      return groups.flatMap(({ dimensions, values: [traces, failedSpans, cost, p95] }) => {
        const name = dimensions[dimension];
        if (!name) return [];
        return [{ name, traces: traces ?? 0, failedSpans: failedSpans ?? 0, cost: cost ?? null, p95: p95 ?? null }];
      });
    },
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}
