import type { Measured } from "./compare-query";

export type ComparedRow = Pick<Measured, "id" | "label" | "unit" | "worse"> & {
  a: Measured | undefined;
  b: Measured | undefined;
};

/** What both sides measure in one row each, in the order of the first; then what only the second has. */
export function joinRows(left: readonly Measured[], right: readonly Measured[]): ComparedRow[] {
  const ofB = new Map(right.map((row) => [row.id, row]));
  const rows = left.map((a) => join(a, ofB.get(a.id)));
  const known = new Set(left.map(({ id }) => id));
  return [...rows, ...right.filter(({ id }) => !known.has(id)).map((b) => join(undefined, b))];
}

function join(a: Measured | undefined, b: Measured | undefined): ComparedRow {
  const { id = "", label = "", unit = "count", worse } = a ?? b ?? {};
  return { id, label, unit, ...(worse ? { worse } : {}), a, b };
}
