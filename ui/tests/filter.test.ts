import { describe, expect, it } from "vitest";
import { addClause, composeFilter, locateInTyped } from "@/features/traces/filter";
import { parseTracesSearch } from "@/features/traces/traces-search";

const NOW = 1_764_000_000_000;

describe("composeFilter", () => {
  it("asks for everything when nothing is said", () => {
    expect(composeFilter({}, NOW)).toEqual({ text: null, offset: null });
  });

  it("sends what was typed as it is", () => {
    expect(composeFilter({ q: "user = 'ana'" }, NOW)).toEqual({ text: "user = 'ana'", offset: 0 });
  });

  it("keeps an OR of the user apart from the other conditions", () => {
    const { text } = composeFilter({ q: "user = 'a' OR user = 'b'", status: "error", range: "1h" }, NOW);
    expect(text).toBe(`timestamp_ms >= ${NOW - 3_600_000} AND status = 'ERROR' AND (user = 'a' OR user = 'b')`);
  });

  it("looks for plain words in the whole text", () => {
    expect(composeFilter({ q: "refund policy" }, NOW).text).toBe("trace.text ILIKE '%refund policy%'");
    expect(composeFilter({ q: '"is = in"' }, NOW).text).toBe("trace.text ILIKE '%is = in%'");
    expect(composeFilter({ q: "don't" }, NOW).text).toBe("trace.text ILIKE '%don''t%'");
    expect(composeFilter({ q: "100% a_c" }, NOW).text).toBe(String.raw`trace.text ILIKE '%100\% a\_c%'`);
    for (const question of ["Where is my order", "not found at all", "in", 'What is "x"?']) {
      expect(composeFilter({ q: question }, NOW).text).toBe(`trace.text ILIKE '%${question}%'`);
    }
  });

  it("sees a filter by its operators", () => {
    for (const filter of ["tags.a IS NOT NULL", "name in ('a')", "name ILIKE '%a%'", "feedback.x > 1"]) {
      expect(composeFilter({ q: filter }, NOW).text).toBe(filter);
    }
  });

  it("finds the place of an error in the typed text", () => {
    const composed = composeFilter({ q: "bad = 1", status: "ok" }, NOW);
    const column = (composed.text ?? "").indexOf("bad") + 1;
    expect(locateInTyped(column, composed, "bad = 1")).toBe(1);
    expect(locateInTyped(9999, composed, "bad = 1")).toBe(8);
    expect(locateInTyped(3, composeFilter({ q: "words" }, NOW), "words")).toBeNull();
  });
});

describe("addClause", () => {
  it("adds once, and guards an OR", () => {
    expect(addClause(undefined, "user = 'a'")).toBe("user = 'a'");
    expect(addClause("status = 'OK'", "user = 'a'")).toBe("status = 'OK' AND user = 'a'");
    expect(addClause("user = 'a'", "user = 'a'")).toBe("user = 'a'");
    expect(addClause("Sapporo", "user = 'a'")).toBe("trace.text ILIKE '%Sapporo%' AND user = 'a'");
    expect(addClause("a = 1 or b = 2", "c = 3")).toBe("(a = 1 or b = 2) AND c = 3");
  });
});

describe("parseTracesSearch", () => {
  it("drops what it does not know and what is the default", () => {
    expect(parseTracesSearch({ q: " ", range: "all", status: "weird", live: true, x: 1 })).toEqual({});
  });

  it("reads every state back", () => {
    const search = { q: "a = 1", range: "3h", status: "error", live: false } as const;
    expect(parseTracesSearch(search)).toEqual(search);
    expect(parseTracesSearch({ q: 42 })).toEqual({ q: "42" });
  });
});
