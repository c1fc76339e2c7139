import { formatCost, formatCount, formatDuration, formatPercent } from "@/shared/format";
import type { Estimate } from "@/shared/stats";

export type Unit = "count" | "share" | "milliseconds" | "dollars";

export function formatValue(unit: Unit, value: number): string {
  switch (unit) {
    case "count":
      return formatCount(Math.round(value));
    case "share":
      return formatPercent(value);
    case "milliseconds":
      return formatDuration(value);
    case "dollars":
      return formatCost(value);
  }
}

/** With its sign; of shares, in points of a percent. */
export function formatDifference(unit: Unit, value: number): string {
  const sign = value < 0 ? "−" : "+";
  const size = Math.abs(value);
  return unit === "share" ? `${sign}${(size * 100).toFixed(1)} pts` : `${sign}${formatValue(unit, size)}`;
}

/** `−1.2 pts to +0.4 pts`. */
export function formatInterval(unit: Unit, { low, high }: Estimate): string {
  return `${formatDifference(unit, low)} to ${formatDifference(unit, high)}`;
}
