import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { api, unwrap } from "@/shared/api/client";
import type { Skeleton, SpanHead, TraceInfo } from "@/shared/api/types";
import { readSkeleton } from "../skeleton";

// The first page is soon there; the rest of a long trace comes in few.
const FIRST_PAGE_SPANS = 1000;
const PAGE_SPANS = 10_000;

/** Every span of a trace without payloads, page after page; again whenever `trace` says it changed. */
export function useSpans(traceId: string, trace: TraceInfo | undefined) {
  const { span_count: count, error_count: errors, state, execution_duration_ms: ms } = trace ?? {};
  const version = `${count} ${errors} ${state} ${ms}`;
  const query = useInfiniteQuery({
    queryKey: ["spans", traceId, version],
    enabled: trace !== undefined,
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam, signal }) => {
      const page = await unwrap(
        api.GET("/api/v1/traces/{trace_id}/spans", {
          params: {
            path: { trace_id: traceId },
            query: {
              view: "skeleton",
              max_results: pageParam ? PAGE_SPANS : FIRST_PAGE_SPANS,
              ...(pageParam ? { page_token: pageParam } : {}),
            },
          },
          signal,
        }),
      );
      return { spans: readSkeleton(traceId, page as Skeleton), next: page.next_page_token };
    },
    getNextPageParam: (last) => last.next,
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
