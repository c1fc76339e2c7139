// What may come next at the caret of the filter bar: a field, an operator, a value, a joiner.
import { quote } from "./filter";

export type Suggestion = { insert: string; label: string; detail: string };
export type Completion = { from: number; suggestions: Suggestion[] };
/** Values seen in the rows that are loaded, by field. */
export type ObservedValues = Record<string, readonly string[]>;

type Kind = "text" | "choice" | "number" | "content" | "keyed";
type Field = { name: string; kind: Kind; detail: string };

const FIELDS: readonly Field[] = [
  { name: "status", kind: "choice", detail: "OK, ERROR or IN_PROGRESS" },
  { name: "user", kind: "text", detail: "who asked" },
  { name: "session", kind: "text", detail: "the conversation" },
  { name: "name", kind: "text", detail: "name of the trace" },
  { name: "execution_time_ms", kind: "number", detail: "latency in milliseconds" },
  { name: "trace.text", kind: "content", detail: "any text in any span" },
  { name: "span.name", kind: "text", detail: "name of a span" },
  { name: "span.type", kind: "choice", detail: "LLM, TOOL, RETRIEVER …" },
  { name: "span.status", kind: "choice", detail: "status of a span" },
  { name: "span.content", kind: "content", detail: "text of one span" },
  { name: "span.attributes.", kind: "keyed", detail: "an attribute of a span" },
  { name: "tags.", kind: "keyed", detail: "a tag" },
  { name: "metadata.", kind: "keyed", detail: "metadata of the trace" },
  { name: "feedback.", kind: "keyed", detail: "feedback by name" },
  { name: "expectation.", kind: "keyed", detail: "an expectation by name" },
  { name: "timestamp_ms", kind: "number", detail: "start, ms since 1970" },
  { name: "request_id", kind: "text", detail: "the trace id" },
  { name: "client_request_id", kind: "text", detail: "the id your code gave" },
];

const OPERATORS: Record<Kind, readonly string[]> = {
  choice: ["=", "!=", "IN"],
  text: ["=", "!=", "ILIKE", "LIKE", "RLIKE"],
  number: [">", ">=", "<", "<=", "=", "!="],
  content: ["ILIKE", "LIKE"],
  keyed: ["=", "!=", "ILIKE", "IS NULL", "IS NOT NULL", ">", "<"],
};
const OPERATOR_MEANINGS: Record<string, string> = {
  "=": "equals",
  "!=": "is not",
  LIKE: "pattern with % and _",
  ILIKE: "pattern, any case",
  RLIKE: "regular expression",
  IN: "one of a list",
  "IS NULL": "is missing",
  "IS NOT NULL": "is there",
};
const CHOICES: Record<string, readonly string[]> = {
  status: ["ERROR", "OK", "IN_PROGRESS"],
  "span.status": ["ERROR", "OK", "UNSET"],
  "span.type": ["TOOL", "LLM", "CHAT_MODEL", "AGENT", "RETRIEVER", "CHAIN", "EMBEDDING", "RERANKER", "GUARDRAIL"],
};
const TOKEN = /'[^']*'?|"[^"]*"?|`[^`]*`?|[=!<>]+|[(),]|[^\s'"=!<>(),]+/g;
const JOINER = /^(and|or|not)$/i;
const WORD_OPERATOR = /^(like|ilike|rlike|in|is)$/i;

export function completeFilter(text: string, caret: number, observed: ObservedValues): Completion {
  const before = text.slice(0, caret);
  const tokens = [...before.matchAll(TOKEN)];
  const last = tokens.at(-1);
  const touching = last !== undefined && last.index + last[0].length === before.length;
  const partial = touching && !/^[=!<>(),]+$/.test(last[0]) ? last[0] : "";
  const settled = tokens.slice(0, partial ? -1 : undefined).map((token) => token[0]);
  const from = caret - partial.length;
  return { from, suggestions: suggest(readContext(settled), partial, observed).slice(0, 12) };
}

type Context =
  | { expects: "field" }
  | { expects: "operator"; field: string }
  | { expects: "value"; field: string; operator: string }
  | { expects: "joiner" };

function readContext(tokens: readonly string[]): Context {
  let context: Context = { expects: "field" };
  for (const token of tokens) context = advance(context, token);
  return context;
}

function advance(context: Context, token: string): Context {
  if (token === "(" && context.expects !== "value") return { expects: "field" };
  if (token === ")") return { expects: "joiner" };
  switch (context.expects) {
    case "field":
      return JOINER.test(token) ? context : { expects: "operator", field: token };
    case "operator":
      if (token.startsWith("`")) return context; // the key after `tags.`
      return { expects: "value", field: context.field, operator: token.toUpperCase() };
    case "value":
      if (token === "(" || token === "," || /^not$/i.test(token)) return context;
      return { expects: "joiner" };
    case "joiner":
      return JOINER.test(token) || token === "," ? { expects: "field" } : context;
  }
}

function suggest(context: Context, partial: string, observed: ObservedValues): Suggestion[] {
  const typed = partial.toLowerCase();
  switch (context.expects) {
    case "field":
      return suggestFields(typed, observed);
    case "operator":
      return OPERATORS[findKind(context.field)]
        .filter((operator) => operator.toLowerCase().startsWith(typed))
        .map((operator) => ({
          insert: `${operator} `,
          label: operator,
          detail: OPERATOR_MEANINGS[operator] ?? "",
        }));
    case "value":
      return suggestValues(context.field, context.operator, typed, observed);
    case "joiner":
      return ["AND", "OR"]
        .filter((joiner) => joiner.toLowerCase().startsWith(typed))
        .map((joiner) => ({ insert: `${joiner} `, label: joiner, detail: "" }));
  }
}

function suggestFields(typed: string, observed: ObservedValues): Suggestion[] {
  const keyed = Object.keys(observed)
    .filter((name) => name.includes(".") && !(name in CHOICES))
    .map((name): Field => ({ name, kind: "keyed", detail: "seen in these traces" }));
  return [...FIELDS, ...keyed]
    .filter(({ name }) => name !== typed && matches(name, typed))
    .toSorted((a, b) => Number(b.name.startsWith(typed)) - Number(a.name.startsWith(typed)))
    .map(({ name, detail }) => ({
      insert: name.endsWith(".") ? name : `${name} `,
      label: name.endsWith(".") ? `${name}…` : name,
      detail,
    }));
}

function suggestValues(
  field: string,
  operator: string,
  typed: string,
  observed: ObservedValues,
): Suggestion[] {
  if (operator === "IS") return [];
  const bare = typed.replace(/^['"]/, "");
  const name = field.replace(/^(trace|attributes?)\./, "");
  return (observed[name] ?? CHOICES[name] ?? [])
    .filter((value) => value.toLowerCase().includes(bare))
    .map((value) => ({
      insert: operator === "IN" ? `(${quote(value)}) ` : `${quote(value)} `,
      label: value,
      detail: "",
    }));
}

function matches(name: string, typed: string): boolean {
  return name.startsWith(typed) || (typed.length > 1 && name.includes(typed));
}

function findKind(field: string): Kind {
  const name = field.toLowerCase().replace(/^attributes?\./, "");
  return FIELDS.find((known) => known.name === name)?.kind ?? (WORD_OPERATOR.test(name) ? "text" : "keyed");
}
