// Which traces a page is about: an experiment, a filter, a range of time. The same for every request.
import { parseTimeRange } from "@/shared/time-range";

export type Scope = {
  experimentId: string;
  q?: string | undefined;
  range?: string | undefined;
};

export type ScopeBody = {
  experiment_ids: string[];
  q?: string;
  start_time_ms?: number;
  end_time_ms?: number;
};

/** Relative ranges are of the moment of the request. */
export function scopeBody(scope: Scope, nowMs: number = Date.now()): ScopeBody {
  const bounds = parseTimeRange(scope.range ?? "", nowMs) ?? {};
  return {
    experiment_ids: [scope.experimentId],
    ...(scope.q ? { q: scope.q } : {}),
    ...(bounds.fromMs === undefined ? {} : { start_time_ms: bounds.fromMs }),
    ...(bounds.untilMs === undefined ? {} : { end_time_ms: bounds.untilMs }),
  };
}

/** Bounds of time as a filter, for requests that take no others. */
export function timeFilter(range: string | undefined, nowMs: number): string | null {
  const bounds = parseTimeRange(range ?? "", nowMs) ?? {};
  const clauses: string[] = [];
  if (bounds.fromMs !== undefined) clauses.push(`timestamp_ms >= ${bounds.fromMs}`);
  if (bounds.untilMs !== undefined) clauses.push(`timestamp_ms < ${bounds.untilMs}`);
  return clauses.join(" AND ") || null;
}
