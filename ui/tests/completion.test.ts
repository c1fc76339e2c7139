import { describe, expect, it } from "vitest";
import { completeFilter } from "@/features/traces/completion";
import { observeValues } from "@/features/traces/observed-values";
import { makeTrace } from "./traces";

const observed = observeValues([
  makeTrace("1", { user: "ana", tags: { env: "prod" } }),
  makeTrace("2", { user: "bo" }),
  makeTrace("3", { user: "bo", tags: { "git.commit": "abc" } }),
]);
const labels = (text: string): string[] =>
  completeFilter(text, text.length, observed).suggestions.map((suggestion) => suggestion.label);

describe("completeFilter", () => {
  it("begins with fields", () => expect(labels("")[0]).toBe("status"));
  it("narrows fields", () => expect(labels("span.t")).toEqual(["span.type"]));
  it("then operators", () => expect(labels("status ")).toEqual(["=", "!=", "IN"]));
  it("then values", () => expect(labels("status = ")).toEqual(["ERROR", "OK", "IN_PROGRESS"]));
  it("then values that were seen, the frequent first", () => expect(labels("user = ")).toEqual(["bo", "ana"]));
  it("narrows values inside quotes", () => expect(labels("user = 'a")).toEqual(["ana"]));
  it("then joiners, then fields again", () => {
    expect(labels("user = 'ana' ")).toEqual(["AND", "OR"]);
    expect(labels("user = 'ana' AND ")[0]).toBe("status");
    expect(labels("NOT (")[0]).toBe("status");
  });
  it("knows the tags that were seen", () => {
    expect(labels("tags.en")).toEqual(["tags.env"]);
    expect(Object.keys(observed)).toContain("tags.`git.commit`");
  });
  it("replaces what is being typed", () => {
    const { from, suggestions } = completeFilter("user = 'a", 9, observed);
    expect("user = 'a".slice(0, from) + suggestions[0]?.insert).toBe("user = 'ana' ");
  });
});
