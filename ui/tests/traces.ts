import type { TraceInfo } from "@/shared/api/types";

export function makeTrace(id: string, given: Partial<TraceInfo> = {}): TraceInfo {
  return {
    trace_id: id,
    experiment_id: "1",
    name: "agent",
    state: "OK",
    request_time: "2026-11-24T07:44:52Z",
    execution_duration_ms: 1000,
    request_preview: null,
    response_preview: null,
    client_request_id: null,
    session_id: null,
    user: null,
    tags: {},
    trace_metadata: {},
    token_usage: null,
    cost: null,
    span_count: 1,
    error_count: 0,
    assessments: [],
    ...given,
  };
}
