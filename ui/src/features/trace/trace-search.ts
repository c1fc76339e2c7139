// What the address of one trace may carry: the selected span and the tab of its detail.
export type DetailTab = "chat" | "io" | "attributes" | "events" | "error";

export type TraceSearch = { span?: string | undefined; tab?: DetailTab | undefined };

const TABS: readonly DetailTab[] = ["chat", "io", "attributes", "events", "error"];

export function parseTraceSearch(search: Record<string, unknown>): TraceSearch {
  const parsed: TraceSearch = {};
  // An id of digits alone is read as a number by the router.
  const span = search["span"];
  if (typeof span === "string" || typeof span === "number") parsed.span = String(span);
  const tab = TABS.find((known) => known === search["tab"]);
  if (tab) parsed.tab = tab;
  return parsed;
}
