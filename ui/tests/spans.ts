// Spans for tests: only what a test says differs from a plain one.
import type { Span } from "@/shared/api/types";

export function makeSpan(id: string, parent: string | null, given: Partial<Span> = {}): Span {
  return {
    trace_id: "tr-1",
    span_id: id,
    parent_span_id: parent,
    name: id,
    span_type: "CHAIN",
    start_time_unix_nano: 0,
    end_time_unix_nano: 1_000_000,
    status: "OK",
    model: null,
    provider: null,
    tool: null,
    error: null,
    token_usage: null,
    cost: null,
    status_message: "",
    kind: "INTERNAL",
    inputs: null,
    outputs: null,
    attributes: {},
    events: [],
    links: [],
    resource: {},
    scope: { name: "", version: "" },
    ...given,
  };
}
