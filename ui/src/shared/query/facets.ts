// Values that fields have, with how many traces have each.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { components } from "@/shared/api/schema";
import { type Scope, scopeBody } from "./scope";

export type Facet = components["schemas"]["FacetShape"];

type Asked = { fields: readonly string[]; prefix?: string; maxValues?: number };

/** Facets that stay on the page: asked again and again while it is live, and none goes meanwhile. */
export function keptFacetsQuery(scope: Scope, fields: readonly string[], everyMs: number | false) {
  return queryOptions({
    ...facetsQuery(scope, { fields }),
    placeholderData: keepPreviousData,
    refetchInterval: everyMs,
  });
}

export function facetsQuery(scope: Scope, { fields, prefix = "", maxValues = 20 }: Asked) {
  return queryOptions({
    queryKey: ["facets", scope, fields, prefix, maxValues],
    queryFn: async ({ signal }): Promise<Facet[]> => {
      const body = { ...scopeBody(scope), fields: [...fields], prefix, max_values: maxValues };
      return (await unwrap(api.POST("/api/v1/traces/facets", { body, signal }))).facets;
    },
    staleTime: 10_000,
  });
}
