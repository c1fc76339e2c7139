// Puts the newest page, polled again and again, together with the rows already there.
import type { TraceInfo } from "@/shared/api/types";

type Page = { traces: TraceInfo[] };

export type Merge<P extends Page> = {
  /** The same pages where nothing changed: identity tells. */
  pages: P[];
  fresh: TraceInfo[];
};

/** Rows that changed are replaced in place; rows never seen come back as `fresh`, newest first. */
export function mergeHead<P extends Page>(pages: P[], head: readonly TraceInfo[]): Merge<P> {
  const newest = new Map(head.map((trace) => [trace.trace_id, trace]));
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
  return { pages: changed ? merged : pages, fresh: [...newest.values()] };
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
