// From what the address says to one filter text for the server, and back for the place of an error.
import { parseTimeRange } from "@/shared/time-range";
import type { StatusChoice, TracesSearch } from "./traces-search";

export type ComposedFilter = {
  text: string | null;
  /** Characters in front of the user's own text; null when that text is not in there as typed. */
  offset: number | null;
};

const STATUS_CLAUSES: Record<StatusChoice, string> = {
  ok: "status = 'OK'",
  error: "status = 'ERROR'",
  has_errors: "span.status = 'ERROR'",
  in_progress: "status = 'IN_PROGRESS'",
};
const OPERATOR = /[=<>]|\b[ir]?like\s+['"]|\bin\s*\(|\bis\s+(?:not\s+)?null\b/i;

export function composeFilter(search: TracesSearch, nowMs: number): ComposedFilter {
  const clauses: string[] = [];
  const bounds = parseTimeRange(search.range ?? "", nowMs) ?? {};
  if (bounds.fromMs !== undefined) clauses.push(`timestamp_ms >= ${bounds.fromMs}`);
  if (bounds.untilMs !== undefined) clauses.push(`timestamp_ms < ${bounds.untilMs}`);
  if (search.status) clauses.push(STATUS_CLAUSES[search.status]);

  const typed = search.q ?? "";
  if (!typed) return { text: clauses.join(" AND ") || null, offset: null };
  if (isPlainWords(typed)) {
    return { text: [...clauses, searchWords(typed)].join(" AND "), offset: null };
  }
  if (clauses.length === 0) return { text: typed, offset: 0 };
  const before = `${clauses.join(" AND ")} AND (`;
  return { text: `${before}${typed})`, offset: before.length };
}

/** The column of an error counted in the text the user typed, from 1. */
export function locateInTyped(column: number, composed: ComposedFilter, typed: string): number | null {
  if (composed.offset === null) return null;
  return Math.min(Math.max(column - composed.offset, 1), typed.length + 1);
}

/** Words without any operator are looked for in the whole text of the trace. */
export function isPlainWords(typed: string): boolean {
  return /^".*"$/s.test(typed) || !OPERATOR.test(typed);
}

export function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** The filter with one more condition. */
export function addClause(typed: string | undefined, clause: string): string {
  if (!typed) return clause;
  if (isPlainWords(typed)) return `${searchWords(typed)} AND ${clause}`;
  if (typed.includes(clause)) return typed;
  return /\bor\b/i.test(typed) ? `(${typed}) AND ${clause}` : `${typed} AND ${clause}`;
}

function searchWords(typed: string): string {
  const words = typed.replace(/^"(.*)"$/s, "$1");
  return `trace.text ILIKE ${quote(`%${words.replaceAll(/[%_]/g, String.raw`\$&`)}%`)}`;
}
