import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { TraceInfo } from "@/shared/api/types";

const REFRESH_MS = 1_500;
const SLOW_REFRESH_MS = 15_000;
/** Spans of a trace may come late: for this long after it began, it is asked for again. */
const YOUNG_MS = 120_000;
const LONG_RUNNING_MS = 1_800_000;

export function traceQuery(traceId: string) {
  return queryOptions({
    queryKey: ["trace", traceId],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/traces/{trace_id}", { params: { path: { trace_id: traceId } }, signal }),
      ),
  });
}

export function useTrace(traceId: string) {
  return useQuery({
    ...traceQuery(traceId),
    refetchInterval: ({ state }) => (state.data ? refreshEveryMs(state.data, Date.now()) : false),
  });
}

/** How often a trace may still change: false once it is over and no longer young. */
export function refreshEveryMs(trace: TraceInfo, nowMs: number): number | false {
  const endMs = Date.parse(trace.request_time) + (trace.execution_duration_ms ?? 0);
  const ageMs = nowMs - endMs;
  if (ageMs < YOUNG_MS) return REFRESH_MS;
  if (trace.state !== "IN_PROGRESS") return false;
  return ageMs < LONG_RUNNING_MS ? REFRESH_MS : SLOW_REFRESH_MS;
}
