// The walls: app -> features -> shared, and no feature reaches into another.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");
const FLOORS = ["shared", "features", "app"];
const IMPORT = /(?:from|import)\s*\(?\s*"([^"]+)"/g;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(IMPORT)].flatMap(([, path = ""]) => {
    if (path.startsWith("@/")) return [path.slice(2)];
    return path.startsWith(".") ? [relative(SRC, resolve(SRC, dirname(file), path))] : [];
  });
}

function isAllowed(from: string, to: string): boolean {
  const [fromFloor = "", fromRoom] = from.split("/");
  const [toFloor = "", toRoom] = to.split("/");
  if (FLOORS.indexOf(toFloor) > FLOORS.indexOf(fromFloor)) return false;
  return !(fromFloor === "features" && toFloor === "features" && fromRoom !== toRoom);
}

describe("floors", () => {
  it("finds the sources", () => expect(files.length).toBeGreaterThan(40));

  it.each(files)("%s imports nothing above or beside it", (file) => {
    expect(importsOf(file).filter((path) => !isAllowed(file, path))).toEqual([]);
  });

  it("tells a forbidden import", () => {
    expect(isAllowed("shared/format.ts", "features/trace/tree")).toBe(false);
    expect(isAllowed("features/trace/tree.ts", "features/traces/filter")).toBe(false);
    expect(isAllowed("features/trace/tree.ts", "shared/format")).toBe(true);
  });
});
