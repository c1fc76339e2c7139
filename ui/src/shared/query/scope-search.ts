// The part of an address that says which traces a page is about.
export type ScopeSearch = {
  q?: string | undefined;
  range?: string | undefined;
};

export function parseScopeSearch(search: Record<string, unknown>): ScopeSearch {
  const parsed: ScopeSearch = {};
  const q = toText(search["q"]).trim();
  const range = toText(search["range"]).trim();
  if (q) parsed.q = q;
  if (range && range !== "all") parsed.range = range;
  return parsed;
}

function toText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
