// The address of the versions: two filters that are compared, or none for the list of releases.
import { parseScopeSearch } from "@/shared/query/scope-search";

export type VersionsSearch = {
  a?: string | undefined;
  b?: string | undefined;
  range?: string | undefined;
};

export function parseVersionsSearch(search: Record<string, unknown>): VersionsSearch {
  const { range } = parseScopeSearch(search);
  const { q: a } = parseScopeSearch({ q: search["a"] });
  const { q: b } = parseScopeSearch({ q: search["b"] });
  return { ...(a ? { a } : {}), ...(b ? { b } : {}), ...(range ? { range } : {}) };
}
