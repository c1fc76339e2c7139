// Numbers over time of the traces that a page is about.
import { api, unwrap } from "@/shared/api/client";
import type { components } from "@/shared/api/schema";
import type { ScopeBody } from "./scope";

export type DataPoint = components["schemas"]["DataPoint"];

type Asked = {
  metric: string;
  aggregations: string[];
  dimensions?: string[];
  bucketSeconds?: number;
};

export async function queryMetric(scope: ScopeBody, asked: Asked, signal: AbortSignal): Promise<DataPoint[]> {
  const body = {
    ...scope,
    metric: asked.metric,
    aggregations: asked.aggregations,
    dimensions: asked.dimensions ?? [],
    ...(asked.bucketSeconds ? { bucket_seconds: asked.bucketSeconds } : {}),
  };
  return (await unwrap(api.POST("/api/v1/metrics", { body, signal }))).data_points;
}
