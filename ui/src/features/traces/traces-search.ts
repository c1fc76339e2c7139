// What the address of the trace list may carry. Nothing else decides which rows are shown.
import { parseScopeSearch, type ScopeSearch } from "@/shared/query/scope-search";

export type TracesSearch = ScopeSearch & {
  /** Absent means live. */
  live?: false | undefined;
  /** Absent means that the facets are shown. */
  facets?: false | undefined;
};

export function parseTracesSearch(search: Record<string, unknown>): TracesSearch {
  const parsed: TracesSearch = parseScopeSearch(search);
  if (isOff(search["live"])) parsed.live = false;
  if (isOff(search["facets"])) parsed.facets = false;
  return parsed;
}

function isOff(value: unknown): boolean {
  return value === false || value === "false";
}
