import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { Span, TraceInfo } from "@/shared/api/types";

const PAGE_SPANS = 100;

export type WholeSpans = { spans: Span[]; next_page_token: string | null };

/** Spans with what they carry, by their start, page after page; again when the trace has changed. */
export function wholeSpansQuery(trace: TraceInfo) {
  const { span_count: count, error_count: errors, state, execution_duration_ms: ms } = trace;
  return infiniteQueryOptions({
    queryKey: ["whole-spans", trace.trace_id, `${count} ${errors} ${state} ${ms}`],
    // The pages of the version before stay until those of the new one are here.
    placeholderData: keepPreviousData,
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam, signal }): Promise<WholeSpans> => {
      const query = { max_results: PAGE_SPANS, ...(pageParam ? { page_token: pageParam } : {}) };
      const params = { path: { trace_id: trace.trace_id }, query };
      return (await unwrap(api.GET("/api/v1/traces/{trace_id}/spans", { params, signal }))) as WholeSpans;
    },
    getNextPageParam: (last) => last.next_page_token,
    staleTime: Number.POSITIVE_INFINITY,
  });
}
