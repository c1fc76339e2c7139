// The text of a filter as the terms it is made of, and with one of them changed.
// The server reads the text; this only finds where its terms begin and end.

export type Term = { text: string; from: number; to: number };

const PLAIN_VALUE = /^[^\s(),"*<>=/][^\s(),"*]*$/;
const REGULAR = /\/(?:[^/\\]|\\.)+\/(?=[\s,)]|$)/sy;
const PLAIN_KEY = /^[\w./-]+$/;

/** The terms at the top of a filter, in parentheses whole. Never fails: what is not closed is one. */
export function splitTerms(text: string): Term[] {
  const terms: Term[] = [];
  let at = 0;
  while (at < text.length) {
    while (/\s/.test(text[at] ?? "")) at++;
    const from = at;
    at = endOfTerm(text, at);
    if (at > from) terms.push({ text: text.slice(from, at), from, to: at });
  }
  return terms;
}

/** `user:ann`, with quotes where they are needed. */
export function writeTerm(field: string, value: string): string {
  return `${writeField(field)}:${writeValue(value)}`;
}

export function writeValue(value: string): string {
  const isBare = PLAIN_VALUE.test(value) && !value.includes("..");
  return isBare ? value : `"${value.replaceAll('"', '""')}"`;
}

/** `tag.env`; a key with odd characters stands in quotes. */
export function writeField(field: string): string {
  const [head, ...rest] = field.split(".");
  const key = rest.join(".");
  return key && !PLAIN_KEY.test(key) ? `${head}."${key.replaceAll('"', "")}"` : field;
}

/** The filter with one more term; the same where it is there. */
export function addTerm(text: string, term: string): string {
  const terms = splitTerms(text);
  if (terms.some((known) => known.text === term)) return text;
  const before = isPlain(terms) ? text.trim() : `(${text.trim()})`;
  return before ? `${before} ${term}` : term;
}

/** The filter without a term; the same where words join its terms otherwise than by all of them. */
export function removeTerm(text: string, term: string): string {
  if (!isPlain(splitTerms(text))) return text;
  const kept = splitTerms(text).filter((known) => known.text !== term);
  return kept.map((known) => known.text).join(" ");
}

/** The values that a filter asks of a field, and those it excludes. */
export function valuesOf(text: string, field: string): { chosen: string[]; excluded: string[] } {
  const chosen: string[] = [];
  const excluded: string[] = [];
  if (!isPlain(splitTerms(text))) return { chosen, excluded };
  for (const term of splitTerms(text)) {
    const isExcluded = term.text.startsWith("-");
    const values = readValues(isExcluded ? term.text.slice(1) : term.text, field);
    if (values) (isExcluded ? excluded : chosen).push(...values);
  }
  return { chosen, excluded };
}

/** Chooses a value beside others of its field, or lets go of it. */
export function toggleValue(text: string, field: string, value: string): string {
  return change(text, field, "", (values) =>
    values.includes(value) ? values.filter((known) => known !== value) : [...values, value],
  );
}

/** Excludes a value, or lets it in again. */
export function excludeValue(text: string, field: string, value: string): string {
  const without = valuesOf(text, field).chosen.includes(value) ? toggleValue(text, field, value) : text;
  return change(without, field, "-", (values) =>
    values.includes(value) ? values.filter((known) => known !== value) : [...values, value],
  );
}

function change(text: string, field: string, sign: string, next: (values: string[]) => string[]): string {
  const terms = splitTerms(text);
  const own = !isPlain(terms) ? undefined : terms.find((term) => readTerm(term.text, sign, field));
  const values = next(own ? (readTerm(own.text, sign, field) ?? []) : []);
  const written = values.length > 0 ? `${sign}${writeField(field)}:${values.map(writeValue).join(",")}` : "";
  if (own) {
    const changed = terms.map((term) => (term === own ? written : term.text));
    return changed.filter(Boolean).join(" ");
  }
  return written ? addTerm(text, written) : text;
}

function readTerm(term: string, sign: string, field: string): string[] | null {
  if (sign ? !term.startsWith(sign) : term.startsWith("-")) return null;
  return readValues(term.slice(sign.length), field);
}

/** The values of `field:a,"b"`; null for any other term, and for one that compares. */
function readValues(term: string, field: string): string[] | null {
  const start = `${writeField(field)}:`;
  if (!term.toLowerCase().startsWith(start.toLowerCase())) return null;
  const values: string[] = [];
  let at = start.length;
  while (at <= term.length) {
    const [value, end] = readValue(term, at);
    if (value === null) return null;
    values.push(value);
    if (end >= term.length) return values;
    at = end + 1;
  }
  return null;
}

function readValue(term: string, from: number): [string | null, number] {
  if (term[from] === '"') {
    const end = endOfQuote(term, from);
    return [term.slice(from + 1, end - 1).replaceAll('""', '"'), end];
  }
  const comma = term.indexOf(",", from);
  const end = comma < 0 ? term.length : comma;
  const value = term.slice(from, end);
  return [PLAIN_VALUE.test(value) && !value.includes("..") ? value : null, end];
}

/** Whether all of the terms must hold, and no word between them says otherwise. */
export function isPlain(terms: readonly Term[]): boolean {
  return !terms.some((term) => /^(or|and|not)$/i.test(term.text));
}

function endOfTerm(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const char = text[at] ?? "";
    if (char === '"') {
      at = endOfQuote(text, at);
      continue;
    }
    if (char === "/" && /[:,]/.test(text[at - 1] ?? "")) {
      REGULAR.lastIndex = at;
      const regular = REGULAR.exec(text);
      if (regular) {
        at += regular[0].length;
        continue;
      }
    }
    if (char === "(") depth++;
    if (char === ")") depth--;
    if (depth <= 0 && /\s/.test(char)) return at;
    at++;
  }
  return at;
}

/** Where a quote ends, past its mark; a doubled mark is inside. */
function endOfQuote(text: string, from: number): number {
  let at = text.indexOf('"', from + 1);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at < 0 ? text.length : at + 1;
}
