import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { components } from "@/shared/api/schema";
import { type Buckets, cutInto } from "@/shared/query/buckets";
import { queryMetric } from "@/shared/query/metrics";
import { type Scope, scopeBody } from "@/shared/query/scope";
import { addTerm } from "@/shared/query/terms";

const BARS = 24;

export type ErrorGroup = components["schemas"]["ErrorGroupShape"];
export type ErrorStatus = ErrorGroup["status"];
export type ErrorPage = {
  groups: ErrorGroup[];
  /** Of all that have the status, told or not. */
  count: number;
  counts: components["schemas"]["StatusCounts"];
  buckets: Buckets | null;
};

export function errorsQuery(scope: Scope, status: ErrorStatus | null) {
  return queryOptions({
    queryKey: ["errors", scope, status],
    queryFn: async ({ signal }): Promise<ErrorPage> => {
      const { experiment_ids: _all, ...body } = scopeBody(scope);
      const buckets = await findBuckets(scope, signal);
      const asked = {
        ...body,
        experiment_id: scope.experimentId,
        ...(status ? { status } : {}),
        ...(buckets ? { bucket_seconds: buckets.sizeMs / 1000 } : {}),
      };
      const page = await unwrap(api.POST("/api/v1/errors/search", { body: asked, signal }));
      return { groups: page.groups, count: page.group_count, counts: page.status_counts, buckets };
    },
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

export function setErrorStatus(experimentId: string, pattern: string, status: ErrorStatus) {
  return unwrap(api.PUT("/api/v1/errors/status", { body: { experiment_id: experimentId, pattern, status } }));
}

async function findBuckets(scope: Scope, signal: AbortSignal): Promise<Buckets | null> {
  const body = scopeBody({ ...scope, q: addTerm(scope.q ?? "", "has:error") });
  if (body.start_time_ms !== undefined) return cutInto(body.start_time_ms, body.end_time_ms ?? Date.now(), BARS);
  const [ends] = await queryMetric(body, { metric: "request_time", aggregations: ["MIN", "MAX"] }, signal);
  return ends ? cutInto(ends.values["MIN"] ?? 0, (ends.values["MAX"] ?? 0) + 1, BARS) : null;
}
