// What went wrong in a span: the exception events first, the status message where there is none.
import type { Span } from "@/shared/api/types";

export type Failure = { type: string | null; message: string; stackTrace: string | null };

export function findFailures(span: Span): Failure[] {
  const failures = (span.events ?? [])
    .filter((event) => event.name === "exception")
    .map(({ attributes }) => ({
      type: toText(attributes["exception.type"]),
      message: toText(attributes["exception.message"]) ?? "",
      stackTrace: toText(attributes["exception.stacktrace"]),
    }));
  if (failures.length > 0 || span.status !== "ERROR") return failures;
  return [{ type: null, message: span.status_message || "The span failed and gives no message.", stackTrace: null }];
}

function toText(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}
