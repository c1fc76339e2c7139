// The text of a time range (`25m`, `3h`, `today`, `2026-11-20..2026-11-21`) and the bounds it means.
export type TimeBounds = { fromMs?: number; untilMs?: number };

export const TIME_RANGES = [
  { text: "15m", label: "Last 15 minutes" },
  { text: "1h", label: "Last hour" },
  { text: "24h", label: "Last 24 hours" },
  { text: "7d", label: "Last 7 days" },
  { text: "30d", label: "Last 30 days" },
  { text: "today", label: "Today" },
] as const;

const UNIT_MS: Record<string, number> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Bounds of a range, or null when the text is not one. Empty text is all time. */
export function parseTimeRange(text: string, nowMs: number = Date.now()): TimeBounds | null {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "" || trimmed === "all") return {};
  if (trimmed === "today") return { fromMs: new Date(nowMs).setHours(0, 0, 0, 0) };
  const relative = /^(\d{1,6})\s*([smhdw])$/.exec(trimmed);
  if (relative) {
    const unitMs = UNIT_MS[relative[2] ?? ""] ?? 0;
    return { fromMs: nowMs - Number(relative[1]) * unitMs };
  }
  const absolute = /^(\S*?)\.\.(\S*)$/.exec(text.trim());
  return absolute ? parseAbsolute(absolute[1] ?? "", absolute[2] ?? "") : null;
}

export function nameTimeRange(text: string): string {
  if (text === "" || text === "all") return "All time";
  return TIME_RANGES.find((range) => range.text === text)?.label ?? text;
}

function parseAbsolute(from: string, until: string): TimeBounds | null {
  const bounds: TimeBounds = {};
  if (from) bounds.fromMs = parseMoment(from);
  // A bare day as the end means the whole of that day.
  if (until) bounds.untilMs = parseMoment(until) + (until.length === 10 ? 86_400_000 : 0);
  const valid = Object.values(bounds).every((value) => Number.isFinite(value));
  return valid && (from || until) ? bounds : null;
}

function parseMoment(text: string): number {
  return Date.parse(text.length === 10 ? `${text}T00:00` : text);
}
