import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import { type Scope, scopeBody } from "@/shared/query/scope";

const TAG = "tags.service.version";
const MOST = 100;
const MEASURES = [
  { metric: "request_time", aggregation: "MAX" },
  { metric: "request_time", aggregation: "MIN" },
  { metric: "trace_count", aggregation: "COUNT" },
  { metric: "error_count", aggregation: "COUNT" },
  { metric: "latency", aggregation: "P95" },
  { metric: "total_cost", aggregation: "SUM" },
];

export type Release = {
  name: string;
  lastMs: number;
  firstMs: number;
  traces: number;
  failed: number;
  p95: number | null;
  cost: number | null;
};

/** The releases that traces tell of, the one that was seen last first. */
export function releasesQuery(scope: Scope) {
  return queryOptions({
    queryKey: ["releases", scope],
    queryFn: async ({ signal }): Promise<Release[]> => {
      const body = { ...scopeBody(scope), measures: MEASURES, dimensions: [TAG], max_groups: MOST };
      const { groups } = await unwrap(api.POST("/api/v1/traces/groups", { body, signal }));
      return groups.flatMap(({ dimensions, values: [last, first, traces, failed, p95, cost] }) => {
        const name = dimensions[TAG];
        if (!name) return [];
        return [
          {
            name,
            lastMs: last ?? 0,
            firstMs: first ?? 0,
            traces: traces ?? 0,
            failed: failed ?? 0,
            p95: p95 ?? null,
            cost: cost ?? null,
          },
        ];
      });
    },
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}
