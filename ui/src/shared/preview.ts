// The readable part of a preview: stored previews are often a whole request in JSON.
import { toOneLine } from "./format";

/** The last user text or the answer inside a JSON preview; the preview itself where it is plain. */
export function readPreview(preview: string | null | undefined): string {
  const text = (preview ?? "").trim();
  if (!/^[[{"]/.test(text)) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text; // cut in the middle: shown as it is
  }
  return findText(value, 0) ?? text;
}

export function previewLine(preview: string | null | undefined): string {
  return toOneLine(readPreview(preview));
}

const TEXT_KEYS = ["content", "text", "question", "query", "prompt", "input", "answer", "output"];
const HOLDER_KEYS = ["messages", "choices", "message", "delta"];

function findText(value: unknown, depth: number): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth > 6) return undefined;
  if (Array.isArray(value)) {
    const spoken = value.filter((item: unknown) => !isSystem(item));
    return findText(spoken.at(-1), depth + 1);
  }
  const record = value as Record<string, unknown>;
  for (const key of [...HOLDER_KEYS, ...TEXT_KEYS]) {
    const found = key in record ? findText(record[key], depth + 1) : undefined;
    if (found) return found;
  }
  const values = Object.values(record);
  return values.length === 1 ? findText(values[0], depth + 1) : undefined;
}

function isSystem(item: unknown): boolean {
  const role = (item as { role?: unknown } | null)?.role;
  return role === "system" || role === "developer";
}
