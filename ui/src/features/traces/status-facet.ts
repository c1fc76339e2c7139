// Failed, with errors, fine, running: two facets of the server as the four words of a filter.
import type { Facet } from "@/shared/query/facets";
import { addTerm, isPlain, splitTerms, valuesOf } from "@/shared/query/terms";
import { withoutField } from "./rail-fields";

export const STATUS_FACETS = ["status", "span.status"] as const;

const WORDS = ["failed", "errors", "ok", "running"] as const;
export type StatusWord = (typeof WORDS)[number];

const SOURCES: Record<StatusWord, { label: string; facet: string; value: string }> = {
  failed: { label: "Failed", facet: "status", value: "ERROR" },
  errors: { label: "Has errors", facet: "span.status", value: "ERROR" },
  ok: { label: "OK", facet: "status", value: "OK" },
  running: { label: "Running", facet: "status", value: "IN_PROGRESS" },
};

export type StatusCount = { word: StatusWord; label: string; count: number };

export function readStatuses(facets: readonly Facet[] | undefined): StatusCount[] {
  return WORDS.map((word) => {
    const { label, facet, value } = SOURCES[word];
    const values = facets?.find(({ field }) => field === facet)?.values ?? [];
    return { word, label, count: values.find((each) => each.value === value)?.count ?? 0 };
  });
}

/** Chosen by a word of their own or as a value of `status`. */
export function chosenStatuses(q: string): string[] {
  const terms = splitTerms(q);
  if (!isPlain(terms)) return [];
  const alone = new Set(terms.map(({ text }) => text.toLowerCase()));
  return [...valuesOf(q, "status").chosen, ...WORDS.filter((word) => alone.has(word))];
}

/** The statuses that are chosen stand in one term: two words alone would have to hold both. */
export function toggleStatus(q: string, word: StatusWord): string {
  if (!isPlain(splitTerms(q))) return addTerm(q, `status:${word}`);
  const chosen = chosenStatuses(q);
  const next = chosen.includes(word) ? chosen.filter((each) => each !== word) : [...chosen, word];
  const rest = withoutField(q, "status");
  return next.length > 0 ? addTerm(rest, `status:${next.join(",")}`) : rest;
}
