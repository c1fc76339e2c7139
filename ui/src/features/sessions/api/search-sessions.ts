import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { SessionPage } from "@/shared/api/types";

export function sessionsQuery(experimentId: string) {
  return infiniteQueryOptions({
    queryKey: ["sessions", experimentId],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }): Promise<SessionPage> =>
      unwrap(
        api.POST("/api/v1/sessions/search", {
          body: {
            experiment_ids: [experimentId],
            max_results: 100,
            ...(pageParam ? { page_token: pageParam } : {}),
          },
          signal,
        }),
      ),
    getNextPageParam: (last: SessionPage) => last.next_page_token,
  });
}
