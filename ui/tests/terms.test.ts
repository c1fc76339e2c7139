import { describe, expect, it } from "vitest";
import {
  addTerm,
  excludeValue,
  removeTerm,
  splitTerms,
  toggleValue,
  valuesOf,
  writeTerm,
} from "@/shared/query/terms";

const texts = (text: string): string[] => splitTerms(text).map((term) => term.text);

describe("splitTerms", () => {
  it("cuts at spaces", () => expect(texts("  failed  user:ann ")).toEqual(["failed", "user:ann"]));
  it("keeps quotes and parentheses whole", () => {
    expect(texts('name:"a b" span(tool:x error) -(a or b)')).toEqual(['name:"a b"', "span(tool:x error)", "-(a or b)"]);
    expect(texts('"a ""b"" c" d')).toEqual(['"a ""b"" c"', "d"]);
  });
  it("takes what is not closed as one", () => {
    expect(texts('user:"ann b')).toEqual(['user:"ann b']);
    expect(texts("span(a b")).toEqual(["span(a b"]);
    expect(texts("a) b")).toEqual(["a)", "b"]);
  });
  it("says where they are", () => {
    for (const { text, from, to } of splitTerms('a "b c" d:e')) expect('a "b c" d:e'.slice(from, to)).toBe(text);
  });
});

describe("writeTerm", () => {
  it("quotes what needs it", () => {
    expect(writeTerm("user", "ann@x.org")).toBe("user:ann@x.org");
    for (const odd of ["a b", "a,b", "a(b", "a*", ">5", "1..2", ""]) expect(writeTerm("user", odd)).toBe(`user:"${odd}"`);
    expect(writeTerm("name", 'say "x"')).toBe('name:"say ""x"""');
    expect(writeTerm("tag.odd key", "1")).toBe('tag."odd key":1');
  });
});

describe("one term more or less", () => {
  it("adds once", () => {
    expect(addTerm("", "failed")).toBe("failed");
    expect(addTerm("user:ann", "failed")).toBe("user:ann failed");
    expect(addTerm("failed user:ann", "failed")).toBe("failed user:ann");
  });
  it("guards an or", () => expect(addTerm("a or b", "failed")).toBe("(a or b) failed"));
  it("takes away", () => expect(removeTerm("failed user:ann", "failed")).toBe("user:ann"));
});

describe("values of a field", () => {
  it("are chosen and let go of", () => {
    const odd = 'Ann "B", C';
    let text = toggleValue("failed", "user", "bo");
    expect(text).toBe("failed user:bo");
    text = toggleValue(text, "user", odd);
    expect(text).toBe('failed user:bo,"Ann ""B"", C"');
    expect(valuesOf(text, "user")).toEqual({ chosen: ["bo", odd], excluded: [] });
    text = toggleValue(text, "user", "bo");
    expect(toggleValue(text, "user", odd)).toBe("failed");
  });
  it("are excluded", () => {
    const text = excludeValue("user:ann failed", "user", "ann");
    expect(text).toBe("failed -user:ann");
    expect(valuesOf(text, "user")).toEqual({ chosen: [], excluded: ["ann"] });
    expect(excludeValue(text, "user", "ann")).toBe("failed");
  });
  it("are none of what compares, matches or stands in an or", () => {
    expect(valuesOf("user:a* tokens:>5 -user:1..2", "user")).toEqual({ chosen: [], excluded: [] });
    expect(valuesOf("user:a or user:b", "user").chosen).toEqual([]);
    expect(toggleValue("user:a or user:b", "user", "c")).toBe("(user:a or user:b) user:c");
  });
});

describe("words and patterns", () => {
  const pattern = String.raw`error:/^Run  failed or \(ok\) "x\/y$/`;
  it("keep a pattern whole", () => {
    expect(texts(`user:a ${pattern} failed`)).toEqual(["user:a", pattern, "failed"]);
    expect(addTerm(pattern, "failed")).toBe(`${pattern} failed`);
    expect(removeTerm(`${pattern} failed`, "failed")).toBe(pattern);
    expect(valuesOf(pattern, "error").chosen).toEqual([]);
    expect(texts("name:/api/x b")).toEqual(["name:/api/x", "b"]);
  });
  it("quote a value that would be one", () => expect(writeTerm("name", "/chat/")).toBe('name:"/chat/"'));
  it("are not taken apart where a word joins them", () => {
    for (const text of ["failed or user:ann", "not failed", "failed and user:ann"]) {
      expect(removeTerm(text, "failed")).toBe(text);
      expect(valuesOf(text, "user").chosen).toEqual([]);
      expect(toggleValue(text, "user", "b")).toBe(`(${text}) user:b`);
    }
  });
});
