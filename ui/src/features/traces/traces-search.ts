// What the address of the trace list may carry. Nothing else decides which rows are shown.
export type StatusChoice = "ok" | "error" | "has_errors" | "in_progress";

export type TracesSearch = {
  q?: string | undefined;
  range?: string | undefined;
  status?: StatusChoice | undefined;
  /** Absent means live. */
  live?: false | undefined;
};

export const STATUS_CHOICES: readonly { value: StatusChoice; label: string }[] = [
  { value: "error", label: "Failed" },
  { value: "has_errors", label: "Any span failed" },
  { value: "ok", label: "OK" },
  { value: "in_progress", label: "Running" },
];

export function parseTracesSearch(search: Record<string, unknown>): TracesSearch {
  const parsed: TracesSearch = {};
  const q = toText(search["q"]).trim();
  const range = toText(search["range"]).trim();
  const status = STATUS_CHOICES.find((choice) => choice.value === search["status"])?.value;
  if (q) parsed.q = q;
  if (range && range !== "all") parsed.range = range;
  if (status) parsed.status = status;
  if (search["live"] === false || search["live"] === "false") parsed.live = false;
  return parsed;
}

function toText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
