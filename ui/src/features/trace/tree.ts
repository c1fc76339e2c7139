// From the spans of a trace, in any order and possibly incomplete, to the rows of the tree.
import type { SpanHead } from "@/shared/api/types";

type RowPlace = {
  id: string;
  /** 1 for the outermost rows, as ARIA counts. */
  level: number;
  /** Among the rows of the same parent, from 1. */
  position: number;
  setSize: number;
  hasChildren: boolean;
  expanded: boolean;
  parentId: string | null;
};
export type SpanRow = RowPlace & { kind: "span"; span: SpanHead };
/** Stands for a parent that has not arrived; its children hang below it. */
export type MissingParentRow = RowPlace & { kind: "missing-parent"; missingSpanId: string };
export type TreeRow = SpanRow | MissingParentRow;

type Entry = { id: string; span: SpanHead | null };
type Waiting = { entry: Entry; level: number; position: number; setSize: number; parentId: string | null };

export const missingRowId = (spanId: string): string => `missing:${spanId}`;

/** Rows top to bottom, depth first, children by start time; what is under a folded row is left out. */
export function buildRows(spans: readonly SpanHead[], folded: ReadonlySet<string>): TreeRow[] {
  const { outermost, children } = group(spans);
  const rows: TreeRow[] = [];
  // A stack of our own: a trace may be deeper than the call stack.
  const stack: Waiting[] = asWaiting(outermost, 1, null);
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { entry, ...place } = next;
    const below = children.get(entry.id) ?? [];
    const expanded = below.length > 0 && !folded.has(entry.id);
    const row = { ...place, id: entry.id, hasChildren: below.length > 0, expanded };
    rows.push(
      entry.span
        ? { ...row, kind: "span", span: entry.span }
        : { ...row, kind: "missing-parent", missingSpanId: entry.id.slice(missingRowId("").length) },
    );
    if (expanded) stack.push(...asWaiting(below, place.level + 1, entry.id));
  }
  return rows;
}

function group(spans: readonly SpanHead[]): { outermost: Entry[]; children: Map<string, Entry[]> } {
  const byId = new Map(spans.map((span) => [span.span_id, span]));
  const sorted = [...byId.values()].toSorted(byStart);
  const cut = findCycleBreaks(byId);
  const outermost: Entry[] = [];
  const children = new Map<string, Entry[]>();
  for (const span of sorted) {
    const entry = { id: span.span_id, span };
    const parent = span.parent_span_id;
    if (!parent) outermost.push(entry);
    else if (byId.has(parent) && !cut.has(span.span_id)) append(children, parent, entry);
    else {
      const missing = missingRowId(parent);
      if (!children.has(missing)) outermost.push({ id: missing, span: null });
      append(children, missing, entry);
    }
  }
  return { outermost, children };
}

/** One span of each ring of parents: without a cut there, a ring would never be reached. */
function findCycleBreaks(byId: ReadonlyMap<string, SpanHead>): Set<string> {
  const settled = new Set<string>();
  const breaks = new Set<string>();
  for (const start of byId.keys()) {
    const path = new Set<string>();
    let id: string | null = start;
    while (id !== null && byId.has(id) && !settled.has(id) && !path.has(id)) {
      path.add(id);
      id = byId.get(id)?.parent_span_id ?? null;
    }
    if (id !== null && path.has(id)) breaks.add(id);
    for (const seen of path) settled.add(seen);
  }
  return breaks;
}

/** In reverse, since the last one in is the first one out. */
function asWaiting(entries: readonly Entry[], level: number, parentId: string | null): Waiting[] {
  const setSize = entries.length;
  return entries
    .map((entry, index) => ({ entry, level, position: index + 1, setSize, parentId }))
    .toReversed();
}

function append(map: Map<string, Entry[]>, key: string, entry: Entry): void {
  const list = map.get(key);
  if (list) list.push(entry);
  else map.set(key, [entry]);
}

function byStart(a: SpanHead, b: SpanHead): number {
  return a.start_time_unix_nano - b.start_time_unix_nano || (a.span_id < b.span_id ? -1 : 1);
}
