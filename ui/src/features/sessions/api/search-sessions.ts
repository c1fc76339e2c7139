import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { SessionPage } from "@/shared/api/types";
import { type Scope, timeFilter } from "@/shared/query/scope";

/** Later pages keep the bounds of the first: a relative range must not move between them. */
type Cursor = { filter: string | null; token: string } | null;

export function sessionsQuery(scope: Scope) {
  return infiniteQueryOptions({
    queryKey: ["sessions", scope],
    initialPageParam: null as Cursor,
    queryFn: async ({ pageParam, signal }): Promise<SessionPage & { filter: string | null }> => {
      const filter = pageParam ? pageParam.filter : timeFilter(scope.range, Date.now());
      const body = {
        experiment_ids: [scope.experimentId],
        max_results: 100,
        ...(scope.q ? { q: scope.q } : {}),
        ...(filter ? { filter } : {}),
        ...(pageParam ? { page_token: pageParam.token } : {}),
      };
      return { ...(await unwrap(api.POST("/api/v1/sessions/search", { body, signal }))), filter };
    },
    getNextPageParam: (last): Cursor =>
      last.next_page_token ? { filter: last.filter, token: last.next_page_token } : null,
    placeholderData: keepPreviousData,
  });
}
