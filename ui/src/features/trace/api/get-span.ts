import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { SpanHead } from "@/shared/api/types";

/** The payload of one span; fetched again when its head says that it went on. */
export function useSpan(head: SpanHead) {
  const { trace_id, span_id, end_time_unix_nano: end, status } = head;
  return useQuery({
    queryKey: ["span", trace_id, span_id, end, status],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/traces/{trace_id}/spans/{span_id}", {
          params: { path: { trace_id, span_id } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
