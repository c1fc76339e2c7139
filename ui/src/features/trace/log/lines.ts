// A span as lines of text, the way a log tells it.
import type { Span } from "@/shared/api/types";
import { formatDuration } from "@/shared/format";
import { parseJson } from "../chat/message";
import { readLarge } from "../large";

const TEXT_CHARS = 20_000;

export type LogEntry = {
  spanId: string;
  /** How long after the trace began. */
  at: string;
  name: string;
  type: string;
  duration: string;
  failed: boolean;
  /** Inputs, outputs and what went wrong, each with its text. */
  parts: { label: string; text: string }[];
};

export function writeEntry(span: Span, traceStartNs: number): LogEntry {
  const endNs = span.end_time_unix_nano;
  const parts = [
    { label: "in", text: writeValue(span.inputs) },
    { label: "out", text: writeValue(span.outputs) },
    { label: "error", text: span.status === "ERROR" ? (span.error ?? span.status_message) : "" },
  ];
  return {
    spanId: span.span_id,
    at: `+${formatDuration((span.start_time_unix_nano - traceStartNs) / 1e6)}`,
    name: span.name,
    type: span.span_type,
    duration: endNs === null ? "running" : formatDuration((endNs - span.start_time_unix_nano) / 1e6),
    failed: span.status === "ERROR",
    parts: parts.filter(({ text }) => text !== ""),
  };
}

/** Texts as they are, structures as JSON; what is too long is cut where it says so. */
export function writeValue(value: unknown): string {
  if (value === null || value === undefined) return "";
  const large = readLarge(value);
  if (large) return `${large.head ?? ""}… (${large.size_bytes.toLocaleString("en")} bytes in all)`;
  const parsed = parseJson(value);
  const text = typeof parsed === "string" ? parsed : JSON.stringify(parsed, null, 2);
  return text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS)}… (${text.length.toLocaleString("en")} characters in all)` : text;
}
