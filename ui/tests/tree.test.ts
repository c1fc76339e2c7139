import { describe, expect, it } from "vitest";
import { buildRows, type TreeRow } from "@/features/trace/tree";
import { makeSpan } from "./spans";

const NONE = new Set<string>();
const outline = (rows: TreeRow[]): string[] => rows.map((row) => "  ".repeat(row.level - 1) + row.id);

describe("buildRows", () => {
  it("orders children by start, whatever the order of arrival", () => {
    const spans = [
      makeSpan("b", "root", { start_time_unix_nano: 20 }),
      makeSpan("b1", "b", { start_time_unix_nano: 21 }),
      makeSpan("root", null),
      makeSpan("a", "root", { start_time_unix_nano: 10 }),
    ];
    expect(outline(buildRows(spans, NONE))).toEqual(["root", "  a", "  b", "    b1"]);
  });

  it("says level, position and size of the set", () => {
    const rows = buildRows([makeSpan("r", null), makeSpan("a", "r"), makeSpan("b", "r")], NONE);
    expect(rows[2]).toMatchObject({ level: 2, position: 2, setSize: 2, parentId: "r", hasChildren: false });
    expect(rows[0]).toMatchObject({ level: 1, position: 1, setSize: 1, parentId: null, expanded: true });
  });

  it("leaves out what is under a folded row", () => {
    const spans = [makeSpan("r", null), makeSpan("a", "r"), makeSpan("a1", "a"), makeSpan("b", "r")];
    const rows = buildRows(spans, new Set(["a"]));
    expect(outline(rows)).toEqual(["r", "  a", "  b"]);
    expect(rows[1]).toMatchObject({ hasChildren: true, expanded: false });
  });

  it("puts orphans under a row for their parent, never among the roots", () => {
    const spans = [makeSpan("r", null), makeSpan("x", "gone"), makeSpan("y", "gone"), makeSpan("x1", "x")];
    const rows = buildRows(spans, NONE);
    expect(outline(rows)).toEqual(["r", "missing:gone", "  x", "    x1", "  y"]);
    expect(rows[1]).toMatchObject({ kind: "missing-parent", missingSpanId: "gone" });
  });

  it("shows each span of a ring once", () => {
    const spans = [makeSpan("a", "c"), makeSpan("b", "a"), makeSpan("c", "b"), makeSpan("self", "self")];
    const rows = buildRows(spans, NONE).filter((row) => row.kind === "span");
    expect(rows.map((row) => row.id).toSorted()).toEqual(["a", "b", "c", "self"]);
  });

  it("takes a span that came twice once, and no spans at all", () => {
    expect(buildRows([makeSpan("r", null), makeSpan("r", null)], NONE)).toHaveLength(1);
    expect(buildRows([], NONE)).toEqual([]);
  });

  it("stands a trace 50,000 deep", () => {
    const spans = Array.from({ length: 50_000 }, (_, n) => makeSpan(`${n}`, n ? `${n - 1}` : null));
    expect(buildRows(spans, NONE).at(-1)).toMatchObject({ id: "49999", level: 50_000 });
  });
});
