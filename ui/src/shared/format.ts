// Numbers and times as people read them.
const NONE = "–";

/** `0.42 ms`, `412 ms`, `1.35 s`, `2 m 05 s`, `1 h 04 m`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  if (ms <= 0) return "0 ms";
  if (ms < 0.0995) return `${Number((ms * 1000).toPrecision(2))} µs`;
  if (ms < 10) return `${Number(ms.toPrecision(2))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
}

/** `950`, `12.9k`, `3.4M`. */
export function formatCount(count: number | null | undefined): string {
  if (count === null || count === undefined) return NONE;
  if (count < 1000) return String(count);
  for (const [size, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    const value = count / size;
    if (value >= 0.99995) return `${value < 99.95 ? Number(value.toFixed(1)) : Math.round(value)}${unit}`;
  }
  return String(count);
}

/** `4 %`, `0.3 %`, `<0.1 %`. */
export function formatShare(part: number, whole: number): string {
  return whole === 0 ? NONE : formatPercent(part / whole);
}

/** Of 1. */
export function formatPercent(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  return `${Number(percent.toFixed(percent < 9.95 ? 1 : 0))} %`;
}

/** `512 B`, `64 KB`, `20 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kilobytes = bytes / 1024;
  if (kilobytes < 1024) return `${Math.round(kilobytes)} KB`;
  const megabytes = kilobytes / 1024;
  return `${megabytes < 10 ? megabytes.toFixed(1) : Math.round(megabytes)} MB`;
}

/** US dollars: two significant digits below ten cents, two decimals above. */
export function formatCost(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return NONE;
  if (usd === 0) return "$0";
  if (usd >= 0.0995) return `$${usd.toFixed(2)}`;
  if (usd < 1e-6) return "<$0.000001";
  const decimals = 1 - Math.floor(Math.log10(usd));
  return `$${usd.toFixed(decimals)}`;
}

/** `07:44:52` today, `Nov 23 07:44` otherwise, in the reader's zone. */
export function formatTime(iso: string, now: Date = new Date()): string {
  const time = new Date(iso);
  const clock = `${pad(time.getHours())}:${pad(time.getMinutes())}`;
  if (time.toDateString() === now.toDateString()) return `${clock}:${pad(time.getSeconds())}`;
  const day = time.toLocaleDateString("en", { month: "short", day: "numeric" });
  return time.getFullYear() === now.getFullYear()
    ? `${day} ${clock}`
    : `${day} ${time.getFullYear()}`;
}

/** The whole time, in the reader's zone and in UTC, for a tooltip. */
export function formatTimeInFull(iso: string): string {
  const time = new Date(iso);
  return `${time.toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" })}\n${time.toISOString()}`;
}

/** `just now`, `4 min ago`, `3 h ago`, `5 d ago`. */
export function formatAge(timeMs: number, nowMs: number = Date.now()): string {
  const seconds = Math.max(0, (nowMs - timeMs) / 1000);
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** One line of a longer text. */
export function toOneLine(text: string | null | undefined, length = 300): string {
  return (text ?? "").slice(0, length * 2).replace(/\s+/g, " ").trim().slice(0, length);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
