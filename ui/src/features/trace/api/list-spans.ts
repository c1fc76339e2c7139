import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { api, unwrap } from "@/shared/api/client";
import type { SpanHead, SpanPage, TraceInfo } from "@/shared/api/types";

const PAGE_SPANS = 1000;

/** Every span of a trace without payloads, page after page; again whenever `trace` says it changed. */
export function useSpans(traceId: string, trace: TraceInfo | undefined) {
  const { span_count: count, error_count: errors, state, execution_duration_ms: ms } = trace ?? {};
  const version = `${count} ${errors} ${state} ${ms}`;
  const query = useInfiniteQuery({
    queryKey: ["spans", traceId, version],
    enabled: trace !== undefined,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }): Promise<SpanPage> =>
      unwrap(
        api.GET("/api/v1/traces/{trace_id}/spans", {
          params: {
            path: { trace_id: traceId },
            query: {
              view: "skeleton",
              max_results: PAGE_SPANS,
              ...(pageParam ? { page_token: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (last: SpanPage) => last.next_page_token,
    // The rows of the version before stay until those of the new one are here.
    placeholderData: (old, oldQuery) => (oldQuery?.queryKey[1] === traceId ? old : undefined),
    staleTime: Number.POSITIVE_INFINITY,
  });

  const { hasNextPage, isFetchingNextPage, isPlaceholderData, isError, fetchNextPage, data } = query;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !isPlaceholderData && !isError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isPlaceholderData, isError, fetchNextPage]);

  const spans = useMemo<SpanHead[]>(() => data?.pages.flatMap((page) => page.spans) ?? [], [data]);
  return { ...query, spans };
}
