export type SessionsSearch = { q?: string | undefined };

export function parseSessionsSearch(search: Record<string, unknown>): SessionsSearch {
  const q = search["q"];
  return typeof q === "string" && q.trim() ? { q: q.trim() } : {};
}
