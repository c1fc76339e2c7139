// What the address of the users page may carry: which traces, and what the list is ordered by.
import { parseScopeSearch, type ScopeSearch } from "@/shared/query/scope-search";

export const USER_SORTS = ["cost", "traces", "sessions", "failed", "latency", "tokens", "last"] as const;
export type UserSort = (typeof USER_SORTS)[number];

export type UsersSearch = ScopeSearch & {
  /** Absent means the most expensive first; a minus means the largest first. */
  sort?: UserSort | `-${UserSort}` | undefined;
};

export const DEFAULT_SORT = "-cost";

export function parseUsersSearch(search: Record<string, unknown>): UsersSearch {
  const parsed: UsersSearch = parseScopeSearch(search);
  const sort = USER_SORTS.flatMap((name) => [name, `-${name}`] as const).find((each) => each === search["sort"]);
  if (sort && sort !== DEFAULT_SORT) parsed.sort = sort;
  return parsed;
}

export function readSort(sort: UsersSearch["sort"]): { by: UserSort; largestFirst: boolean } {
  const text = sort ?? DEFAULT_SORT;
  const by = USER_SORTS.find((name) => name === text.replace("-", "")) ?? "cost";
  return { by, largestFirst: text.startsWith("-") };
}

/** The order after a click on the head of a column: the largest first, then the other way. */
export function nextSort(sort: UsersSearch["sort"], column: UserSort): UsersSearch["sort"] {
  const { by, largestFirst } = readSort(sort);
  const next = by === column && largestFirst ? column : (`-${column}` as const);
  return next === DEFAULT_SORT ? undefined : next;
}
