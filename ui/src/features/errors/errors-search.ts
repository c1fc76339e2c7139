import { parseScopeSearch, type ScopeSearch } from "@/shared/query/scope-search";

export const ERROR_VIEWS = ["open", "resolved", "muted", "all"] as const;
export type ErrorView = (typeof ERROR_VIEWS)[number];

export type ErrorsSearch = ScopeSearch & {
  /** Absent means those that are open. */
  show?: Exclude<ErrorView, "open"> | undefined;
};

export function parseErrorsSearch(search: Record<string, unknown>): ErrorsSearch {
  const parsed: ErrorsSearch = parseScopeSearch(search);
  const show = ERROR_VIEWS.find((view) => view === search["show"]);
  if (show && show !== "open") parsed.show = show;
  return parsed;
}
