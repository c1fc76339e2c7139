// Puts traces that the stream told of together with the rows already there.
import type { TraceInfo } from "@/shared/api/types";

type Page = { traces: TraceInfo[]; next_page_token: string | null };

export type Merge<P extends Page> = {
  /** The same pages where nothing changed: identity tells. */
  pages: P[];
  fresh: TraceInfo[];
};

/** Rows that changed are replaced in place; rows never seen come back as `fresh`. Those older than
 * the last row belong to a page that is not loaded yet. */
export function mergeHead<P extends Page>(pages: P[], told: readonly TraceInfo[]): Merge<P> {
  const newest = new Map(told.map((trace) => [trace.trace_id, trace]));
  let changed = false;
  const merged = pages.map((page) => {
    let pageChanged = false;
    const traces = page.traces.map((trace) => {
      const polled = newest.get(trace.trace_id);
      newest.delete(trace.trace_id);
      if (!polled || isSame(trace, polled)) return trace;
      pageChanged = true;
      return polled;
    });
    changed ||= pageChanged;
    return pageChanged ? { ...page, traces } : page;
  });
  const oldest = pages.at(-1)?.next_page_token ? (pages.at(-1)?.traces.at(-1)?.request_time ?? "") : "";
  const fresh = [...newest.values()].filter((trace) => trace.request_time >= oldest);
  return { pages: changed ? merged : pages, fresh };
}

/** Pages with `fresh` in front, each trace once, newest first within the first page. */
export function prepend<P extends Page>(pages: P[], fresh: readonly TraceInfo[]): P[] {
  const [first, ...rest] = pages;
  if (!first || fresh.length === 0) return pages;
  const seen = new Set(fresh.map((trace) => trace.trace_id));
  const traces = [...fresh, ...first.traces.filter((trace) => !seen.has(trace.trace_id))];
  traces.sort((a, b) => (a.request_time < b.request_time ? 1 : a.request_time > b.request_time ? -1 : 0));
  return [{ ...first, traces }, ...rest];
}

function isSame(a: TraceInfo, b: TraceInfo): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
