// What may come next at the caret of the filter bar: a field, a key, a value.
import type { FilterField, FilterFields } from "./fields";
import { splitTerms, writeField, writeValue } from "./terms";

export type Suggestion = { insert: string; label: string; detail: string };
export type ValueCount = { value: string; count: number };

/** What is being typed, and which values would complete it. */
export type Place = {
  /** Where the piece begins that a suggestion takes the place of. */
  from: number;
  typed: string;
  expects:
    | { kind: "field"; inSpan: boolean }
    | { kind: "name"; inSpan: boolean }
    | { kind: "key"; field: FilterField }
    | { kind: "value"; field: FilterField; key: string };
  /** The facet that lists what may stand here; null where only the grammar says. */
  facet: string | null;
};

const KEYWORDS: readonly Suggestion[] = [
  { insert: "failed ", label: "failed", detail: "the whole trace failed" },
  { insert: "errors ", label: "errors", detail: "some span failed" },
  { insert: "ok ", label: "ok", detail: "the trace succeeded" },
  { insert: "running ", label: "running", detail: "not at its end yet" },
];
const SPAN_KEYWORDS: readonly Suggestion[] = [
  { insert: "error ", label: "error", detail: "this span failed" },
  { insert: "ok ", label: "ok", detail: "this span succeeded" },
];
const MORE: readonly Suggestion[] = [
  { insert: "span(", label: "span( )", detail: "one span for which all of it is true" },
  { insert: "has:", label: "has:", detail: "traces that have a field" },
];
const STATUSES: readonly string[] = ["failed", "errors", "ok", "running"];
const SPAN_STATUSES: readonly string[] = ["error", "ok", "unset"];
const HINTS: Record<string, readonly Suggestion[]> = {
  duration: hints(">1s", ">10s", "<500ms"),
  number: hints(">", ">=", "<"),
  time: [],
  assessed: hints("true", "false", ">"),
};

export function placeAt(text: string, caret: number, fields: FilterFields): Place {
  const { from, inSpan } = startOfPiece(text.slice(0, caret));
  const piece = text.slice(from, caret);
  const match = /^has:/i.exec(piece);
  if (match) {
    return { from: from + 4, typed: piece.slice(4), expects: { kind: "name", inSpan }, facet: null };
  }
  const known = inSpan ? fields.of_spans : fields.of_traces;
  const colon = endOfField(piece);
  const field = known.find(({ name }) => isField(name, colon < 0 ? piece : piece.slice(0, colon)));
  if (colon < 0) {
    if (!field?.name.endsWith(".")) {
      return { from, typed: piece, expects: { kind: "field", inSpan }, facet: null };
    }
    const typed = piece.slice(field.name.length).replaceAll('"', "");
    return { from, typed, expects: { kind: "key", field }, facet: field.facet };
  }
  if (!field) return { from, typed: piece, expects: { kind: "field", inSpan }, facet: null };
  const key = piece.slice(field.name.length, colon).replaceAll('"', "");
  const start = from + startOfValue(piece, colon + 1);
  const typed = text.slice(start, caret).replace(/^"/, "");
  const isKeyed = field.name.endsWith(".");
  const facet = !isKeyed || (field.facet !== "tags" && field.facet !== "metadata") ? null : `${field.facet}.${key}`;
  return { from: start, typed, expects: { kind: "value", field, key }, facet: isKeyed ? facet : field.facet };
}

/** What completes a place; `values` are those of its facet, the frequent first. */
export function suggest(place: Place, fields: FilterFields, values: readonly ValueCount[]): Suggestion[] {
  const { expects } = place;
  const typed = place.typed.toLowerCase();
  if (expects.kind === "field") return suggestFields(typed, expects.inSpan, fields);
  if (expects.kind === "name") return suggestNames(typed, expects.inSpan, fields);
  if (expects.kind === "key") {
    return values.map(({ value, count }) => ({
      insert: `${writeField(`${expects.field.name}${value}`)}:`,
      label: `${expects.field.name}${value}`,
      detail: String(count),
    }));
  }
  const { field } = expects;
  if (field.reads === "status") {
    const words = fields.of_spans.includes(field) ? SPAN_STATUSES : STATUSES;
    return words.filter((word) => word.startsWith(typed)).map((word) => ({ insert: `${word} `, label: word, detail: "" }));
  }
  if (field.reads !== "text") return typed ? [] : [...(HINTS[field.reads] ?? [])];
  return values.map(({ value, count }) => ({
    insert: `${writeValue(value)} `,
    label: value,
    detail: count.toLocaleString("en"),
  }));
}

function suggestFields(typed: string, inSpan: boolean, fields: FilterFields): Suggestion[] {
  const known = (inSpan ? fields.of_spans : fields.of_traces).map(
    ({ name, meaning }): Suggestion => ({
      insert: name.endsWith(".") ? name : `${name}:`,
      label: name.endsWith(".") ? `${name}…` : `${name}:`,
      detail: meaning,
    }),
  );
  const all = inSpan ? [...SPAN_KEYWORDS, ...known] : [...KEYWORDS, ...known, ...MORE];
  return all
    .filter(({ label }) => label.startsWith(typed) || (typed.length > 1 && label.includes(typed)))
    .toSorted((a, b) => Number(b.label.startsWith(typed)) - Number(a.label.startsWith(typed)));
}

/** After `has:`, a field without a value. */
function suggestNames(typed: string, inSpan: boolean, fields: FilterFields): Suggestion[] {
  return (inSpan ? fields.of_spans : fields.of_traces)
    .filter(({ name }) => name.startsWith(typed))
    .map(({ name, meaning }) => {
      const isKeyed = name.endsWith(".");
      return { insert: isKeyed ? name : `${name} `, label: isKeyed ? `${name}…` : name, detail: meaning };
    });
}

/** Where the piece that ends at the caret begins, inside of parentheses too. */
function startOfPiece(before: string): { from: number; inSpan: boolean } {
  const terms = splitTerms(before);
  const last = terms.at(-1);
  if (!last || last.to < before.length) return { from: before.length, inSpan: false };
  const opening = /^-?(span)?\(/i.exec(last.text);
  if (!opening) return { from: last.from + (last.text.startsWith("-") ? 1 : 0), inSpan: false };
  const inside = startOfPiece(before.slice(last.from + opening[0].length));
  return {
    from: last.from + opening[0].length + inside.from,
    inSpan: inside.inSpan || opening[1] !== undefined,
  };
}

function endOfField(piece: string): number {
  const quoted = /^[\w-]+\."[^"]*"(:?)/.exec(piece);
  if (quoted) return quoted[1] ? quoted[0].length - 1 : -1;
  return piece.startsWith('"') ? -1 : piece.indexOf(":");
}

/** Past the last comma outside of quotes, and past a sign of comparison. */
function startOfValue(piece: string, from: number): number {
  let start = from;
  let quoted = false;
  for (let at = from; at < piece.length; at++) {
    if (piece[at] === '"') quoted = !quoted;
    if (piece[at] === "," && !quoted) start = at + 1;
  }
  return start;
}

function isField(name: string, written: string): boolean {
  const lowered = written.toLowerCase();
  return name.endsWith(".") ? lowered.startsWith(name) : lowered === name;
}

function hints(...values: string[]): readonly Suggestion[] {
  return values.map((value) => ({ insert: value, label: value, detail: "" }));
}
