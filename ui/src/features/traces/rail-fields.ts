// The fields of the rail: how a filter names each, and which facet lists its values.
import { isPlain, splitTerms, valuesOf, writeField } from "@/shared/query/terms";

export type RailField = { title: string; field: string; facet: string };

export const RAIL_FIELDS: readonly RailField[] = [
  { title: "Release", field: "release", facet: "tags.service.version" },
  { title: "Environment", field: "environment", facet: "tags.deployment.environment.name" },
  { title: "Name", field: "name", facet: "name" },
  { title: "Model", field: "model", facet: "model" },
  { title: "Tool", field: "tool", facet: "tool" },
  { title: "Error", field: "error", facet: "error" },
  { title: "User", field: "user", facet: "user" },
];

export function chosenIn(q: string, field: string): { chosen: string[]; excluded: string[] } {
  return valuesOf(q, field);
}

/** The filter without what it says of a field; the same where that cannot be told. */
export function withoutField(q: string, field: string): string {
  if (!isPlain(splitTerms(q))) return q;
  const start = `${writeField(field)}:`;
  const keywords = field === "status" ? ["failed", "errors", "ok", "running"] : [];
  return splitTerms(q)
    .map(({ text }) => text)
    .filter((text) => !text.startsWith(start) && !keywords.includes(text.toLowerCase()))
    .join(" ");
}
