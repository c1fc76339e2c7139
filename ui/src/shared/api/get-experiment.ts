import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, unwrap } from "./client";

export function experimentQuery(experimentId: string) {
  return queryOptions({
    queryKey: ["experiment", experimentId],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/experiments/{experiment_id}", {
          params: { path: { experiment_id: experimentId } },
          signal,
        }),
      ),
    staleTime: 60_000,
  });
}

/** The name to show: the id until the name is known. */
export function useExperimentName(experimentId: string): string {
  return useQuery(experimentQuery(experimentId)).data?.name ?? experimentId;
}
