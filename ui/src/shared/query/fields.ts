// The fields that a filter may name, as the server tells them.
import { queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import type { components } from "@/shared/api/schema";

export type FilterFields = components["schemas"]["FieldList"];
export type FilterField = FilterFields["of_traces"][number];

export const NO_FIELDS: FilterFields = { of_traces: [], of_spans: [] };

export const fieldsQuery = queryOptions({
  queryKey: ["filter-fields"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/fields", { signal })),
  staleTime: Number.POSITIVE_INFINITY,
});
