// The marker that stands for a value too large to come with its span.
import type { Span } from "@/shared/api/types";

export type LargeValue = { type: string; field: string; head: string; size_bytes: number };

/** What the marker says; null for any other value. */
export function readLarge(value: unknown): LargeValue | null {
  if (typeof value !== "object" || value === null || !("$large" in value)) return null;
  const told = value.$large;
  if (typeof told !== "object" || told === null) return null;
  const { type, field, head, size_bytes: size } = told as Record<string, unknown>;
  if (typeof field !== "string" || typeof size !== "number") return null;
  return {
    type: typeof type === "string" ? type : "",
    field,
    head: typeof head === "string" ? head : "",
    size_bytes: size,
  };
}

/** Where the value is read whole. */
export function payloadUrl(span: Pick<Span, "trace_id" | "span_id">, field: string): string {
  const path = [span.trace_id, "spans", span.span_id, "payload"].map(encodeURIComponent).join("/");
  return `/api/v1/traces/${path}?field=${encodeURIComponent(field)}`;
}
