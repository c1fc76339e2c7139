// The bars above the list: how many traces began in each piece of time, and how they ended.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type Buckets, cutInto } from "@/shared/query/buckets";
import { type DataPoint, queryMetric } from "@/shared/query/metrics";
import { type Scope, type ScopeBody, scopeBody } from "@/shared/query/scope";
import { addTerm } from "@/shared/query/terms";

const BARS = 72;

export type Bar = { startMs: number; ok: number; errors: number; failed: number; running: number };
export type Histogram = { sizeMs: number; bars: readonly Bar[] };

export function histogramQuery(scope: Scope) {
  return queryOptions({
    queryKey: ["histogram", scope],
    queryFn: async ({ signal }): Promise<Histogram> => {
      const body = scopeBody(scope);
      const buckets = await findBuckets(body, signal);
      if (!buckets) return { sizeMs: 0, bars: [] };
      const asked = { metric: "trace_count", aggregations: ["COUNT"], bucketSeconds: buckets.sizeMs / 1000 };
      const [byStatus, withErrors] = await Promise.all([
        queryMetric(body, { ...asked, dimensions: ["trace_status"] }, signal),
        queryMetric({ ...body, q: addTerm(body.q ?? "", "(errors ok)") }, asked, signal),
      ]);
      return { sizeMs: buckets.sizeMs, bars: fillBars(buckets, byStatus, withErrors) };
    },
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

/** Every piece has a bar, also where nothing began. */
export function fillBars(
  buckets: Buckets,
  byStatus: readonly DataPoint[],
  withErrors: readonly DataPoint[],
): Bar[] {
  const bars = new Map<number, Bar>();
  for (const startMs of buckets.starts) bars.set(startMs, { startMs, ok: 0, errors: 0, failed: 0, running: 0 });
  for (const point of byStatus) {
    const bar = bars.get(point.time_ms ?? -1);
    const count = point.values["COUNT"] ?? 0;
    if (!bar) continue;
    if (point.dimensions["trace_status"] === "ERROR") bar.failed += count;
    else if (point.dimensions["trace_status"] === "OK") bar.ok += count;
    else bar.running += count;
  }
  for (const point of withErrors) {
    const bar = bars.get(point.time_ms ?? -1);
    if (!bar) continue;
    bar.errors = point.values["COUNT"] ?? 0;
    bar.ok = Math.max(0, bar.ok - bar.errors);
  }
  return [...bars.values()];
}

async function findBuckets(body: ScopeBody, signal: AbortSignal): Promise<Buckets | null> {
  if (body.start_time_ms !== undefined) {
    return cutInto(body.start_time_ms, body.end_time_ms ?? Date.now(), BARS);
  }
  const asked = { metric: "request_time", aggregations: ["MIN", "MAX"] };
  const [ends] = await queryMetric(body, asked, signal);
  if (!ends) return null;
  return cutInto(ends.values["MIN"] ?? 0, (ends.values["MAX"] ?? 0) + 1, BARS);
}
