import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { ExperimentPage } from "@/shared/api/types";

export const experimentsQuery = infiniteQueryOptions({
  queryKey: ["experiments"],
  initialPageParam: null as string | null,
  queryFn: ({ pageParam, signal }): Promise<ExperimentPage> =>
    unwrap(
      api.GET("/api/v1/experiments", {
        params: { query: { max_results: 100, ...(pageParam ? { page_token: pageParam } : {}) } },
        signal,
      }),
    ),
  getNextPageParam: (last: ExperimentPage) => last.next_page_token,
});
