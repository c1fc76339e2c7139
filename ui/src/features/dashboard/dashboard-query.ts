import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type Buckets, cutInto } from "@/shared/query/buckets";
import { queryMetric } from "@/shared/query/metrics";
import { type Scope, type ScopeBody, scopeBody } from "@/shared/query/scope";
import type { Chart, Series } from "./charts";

const PIECES = 60;
const STALE_MS = 10_000;

/** What all charts of a page have in common: the traces, and the pieces of their time. */
export type Frame = { body: ScopeBody; buckets: Buckets };

export function frameQuery(scope: Scope) {
  return queryOptions({
    queryKey: ["dashboard", "frame", scope],
    queryFn: async ({ signal }): Promise<Frame | null> => {
      const body = scopeBody(scope);
      if (body.start_time_ms !== undefined) {
        const buckets = cutInto(body.start_time_ms, body.end_time_ms ?? Date.now(), PIECES);
        return { body, buckets };
      }
      const asked = { metric: "request_time", aggregations: ["MIN", "MAX"] };
      const [ends] = await queryMetric(body, asked, signal);
      if (!ends) return null;
      return { body, buckets: cutInto(ends.values["MIN"] ?? 0, (ends.values["MAX"] ?? 0) + 1, PIECES) };
    },
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
  });
}

export function chartQuery(chart: Chart, frame: Frame) {
  return queryOptions({
    queryKey: ["dashboard", "chart", chart.id, frame],
    queryFn: async ({ signal }): Promise<Series[]> => {
      const bucketSeconds = frame.buckets.sizeMs / 1000;
      const answers = await Promise.all(
        chart.asks.map(({ metric, aggregations, dimension }) =>
          queryMetric(
            frame.body,
            { metric, aggregations, dimensions: dimension ? [dimension] : [], bucketSeconds },
            signal,
          ),
        ),
      );
      return chart.series(answers, frame.buckets);
    },
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
  });
}
