import { describe, expect, it } from "vitest";
import { placeAt, suggest } from "@/shared/query/completion";
import type { FilterFields } from "@/shared/query/fields";

const field = (name: string, reads: string, facet: string | null) => ({ name, reads, facet, meaning: name });
const FIELDS: FilterFields = {
  of_traces: [
    field("status", "status", null),
    field("user", "text", "user"),
    field("cost", "number", null),
    field("release", "text", "tags.service.version"),
    field("tag.", "text", "tags"),
    field("feedback.", "assessed", "feedback"),
  ],
  of_spans: [field("tool", "text", "tool"), field("type", "text", "span.type"), field("status", "status", null)],
};
const SEEN = [
  { value: "ann b", count: 1200 },
  { value: "bo", count: 2 },
];
const at = (text: string) => placeAt(text, text.length, FIELDS);
const labels = (text: string, values = SEEN): string[] =>
  suggest(at(text), FIELDS, values).map((suggestion) => suggestion.label);
const accepted = (text: string, n = 0): string => {
  const place = at(text);
  return text.slice(0, place.from) + (suggest(place, FIELDS, SEEN)[n]?.insert ?? "?");
};

describe("completion", () => {
  it("begins with what is asked most", () => expect(labels("")[0]).toBe("failed"));
  it("narrows fields and words", () => {
    expect(labels("use")).toEqual(["user:"]);
    expect(labels("failed sta")).toEqual(["status:"]);
    expect(labels("-use")).toEqual(["user:"]);
    expect(accepted("-use")).toBe("-user:");
  });
  it("offers values that were seen, quoted where needed", () => {
    expect(at("user:").facet).toBe("user");
    expect(accepted("failed user:an")).toBe('failed user:"ann b" ');
    expect(accepted('user:bo,"an')).toBe('user:bo,"ann b" ');
    expect(at('user:bo,"an').typed).toBe("an");
    expect(at("release:1").facet).toBe("tags.service.version");
  });
  it("knows words of its own", () => {
    expect(labels("status:")).toEqual(["failed", "errors", "ok", "running"]);
    expect(labels("cost:")).toEqual([">", ">=", "<"]);
    expect(labels("has:use")).toEqual(["user"]);
    expect(accepted("has:use")).toBe("has:user ");
    expect(labels("has:fail")).toEqual([]);
  });
  it("offers keys, then their values", () => {
    expect(at("tag.te")).toMatchObject({ facet: "tags", typed: "te" });
    expect(accepted("tag.an")).toBe('tag."ann b":');
    expect(at("tag.team:x")).toMatchObject({ facet: "tags.team", typed: "x" });
    expect(at('tag."a b":x').facet).toBe("tags.a b");
    expect(at("feedback.good:t").facet).toBeNull();
  });
  it("knows that it is inside of a span", () => {
    expect(labels("failed span(to")).toEqual(["tool:"]);
    expect(at("span(error tool:se").facet).toBe("tool");
    expect(labels("span(status:")).toEqual(["error", "ok", "unset"]);
    expect(labels("span(error) use")).toEqual(["user:"]);
    expect(labels("(user:a or use")).toEqual(["user:"]);
  });
});
