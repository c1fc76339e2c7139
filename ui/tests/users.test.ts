import { describe, expect, it } from "vitest";
import { nextSort, parseUsersSearch, readSort } from "@/features/users/users-search";

describe("users' order", () => {
  it("is by cost unless said otherwise", () => {
    expect(parseUsersSearch({ sort: "-cost" })).toEqual({});
    expect(parseUsersSearch({ sort: "nonsense" })).toEqual({});
    expect(parseUsersSearch({ sort: "-failed", q: "ok" })).toEqual({ sort: "-failed", q: "ok" });
    expect(readSort(undefined)).toEqual({ by: "cost", largestFirst: true });
    expect(readSort("last")).toEqual({ by: "last", largestFirst: false });
  });
  it("turns with a second click", () => {
    expect(nextSort(undefined, "traces")).toBe("-traces");
    expect(nextSort("-traces", "traces")).toBe("traces");
    expect(nextSort("traces", "traces")).toBe("-traces");
    expect(nextSort(undefined, "cost")).toBe("cost");
    expect(nextSort("cost", "cost")).toBeUndefined();
  });
});
