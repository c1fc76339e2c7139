import { api, unwrap } from "./client";
import type { TracePage } from "./types";

export type TraceSearch = {
  experimentId: string;
  /** As a person types it. */
  q?: string | undefined;
  /** In the grammar of MLflow. */
  filter?: string | null;
  pageToken?: string | null;
  maxResults?: number;
  order?: "newest" | "oldest";
};

export function searchTraces(search: TraceSearch, signal: AbortSignal): Promise<TracePage> {
  return unwrap(
    api.POST("/api/v1/traces/search", {
      body: {
        experiment_ids: [search.experimentId],
        order_by: [search.order === "oldest" ? "timestamp ASC" : "timestamp DESC"],
        max_results: search.maxResults ?? 100,
        ...(search.q ? { q: search.q } : {}),
        ...(search.filter ? { filter: search.filter } : {}),
        ...(search.pageToken ? { page_token: search.pageToken } : {}),
      },
      signal,
    }),
  );
}
