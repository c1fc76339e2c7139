// What the address of one trace may carry: the view, the selected span and the tab of its detail.
export type DetailTab = "chat" | "io" | "attributes" | "events" | "error";
/** Absent means the tree with the timeline. */
export type TraceView = "log" | "raw";

export type TraceSearch = {
  span?: string | undefined;
  tab?: DetailTab | undefined;
  view?: TraceView | undefined;
};

const TABS: readonly DetailTab[] = ["chat", "io", "attributes", "events", "error"];
const VIEWS: readonly TraceView[] = ["log", "raw"];

export function parseTraceSearch(search: Record<string, unknown>): TraceSearch {
  const parsed: TraceSearch = {};
  // An id of digits alone is read as a number by the router.
  const span = search["span"];
  if (typeof span === "string" || typeof span === "number") parsed.span = String(span);
  const tab = TABS.find((known) => known === search["tab"]);
  if (tab) parsed.tab = tab;
  const view = VIEWS.find((known) => known === search["view"]);
  if (view) parsed.view = view;
  return parsed;
}
