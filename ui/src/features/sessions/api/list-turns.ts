import { infiniteQueryOptions } from "@tanstack/react-query";
import { searchTraces } from "@/shared/api/search-traces";
import type { TracePage } from "@/shared/api/types";

const REFRESH_MS = 2_000;

/** The traces of one session, oldest first: each is a turn. The last page is asked for again. */
export function turnsQuery(experimentId: string, sessionId: string) {
  const quoted = sessionId.includes("'") ? `"${sessionId}"` : `'${sessionId}'`;
  return infiniteQueryOptions({
    queryKey: ["turns", experimentId, sessionId],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }): Promise<TracePage> =>
      searchTraces(
        { experimentId, filter: `session = ${quoted}`, order: "oldest", pageToken: pageParam },
        signal,
      ),
    getNextPageParam: (last: TracePage) => last.next_page_token,
    refetchInterval: REFRESH_MS,
  });
}
