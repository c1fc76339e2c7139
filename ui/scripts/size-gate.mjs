// Fails when the JavaScript needed before the first rows, or any one chunk, outgrows its budget.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const FIRST_ROWS_BYTES = 250_000;
const ALL_BYTES = 400_000;
const CHUNK_BYTES = 150_000;
const FIRST_ROUTE = "src/features/traces/traces-page.tsx";

const built = new URL("../../src/tracelake/server/ui/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", built), "utf8"));
const sizes = new Map();

for (const { file } of Object.values(manifest)) {
  if (file.endsWith(".js")) sizes.set(file, gzipSync(readFileSync(new URL(file, built))).length);
}

function reached(keys, seen = new Set()) {
  for (const key of keys) {
    const chunk = manifest[key];
    if (!chunk || seen.has(chunk.file)) continue;
    seen.add(chunk.file);
    reached(chunk.imports ?? [], seen);
  }
  return seen;
}

const total = (files) => [...files].reduce((sum, file) => sum + (sizes.get(file) ?? 0), 0);
if (!(FIRST_ROUTE in manifest)) throw new Error(`${FIRST_ROUTE} is not a chunk of the build`);

const checks = [
  ["before first rows", total(reached(["index.html", FIRST_ROUTE])), FIRST_ROWS_BYTES],
  ["everything", total(sizes.keys()), ALL_BYTES],
  ["largest chunk", Math.max(...sizes.values()), CHUNK_BYTES],
];
for (const [name, bytes, limit] of checks) {
  const fits = bytes <= limit;
  console.log(`${fits ? "ok  " : "FAIL"} ${name}: ${bytes} of ${limit} bytes gzip`);
  if (!fits) process.exitCode = 1;
}
