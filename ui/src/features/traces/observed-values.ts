import type { TraceInfo } from "@/shared/api/types";
import type { ObservedValues } from "./completion";

const ROWS_LOOKED_AT = 500;
const PLAIN_KEY = /^[A-Za-z_][\w-]*$/;

/** Values of the loaded rows by filter field, the most frequent first. */
export function observeValues(rows: readonly TraceInfo[]): ObservedValues {
  const counts = new Map<string, Map<string, number>>();
  const count = (field: string, value: string | null): void => {
    if (!value) return;
    const values = counts.get(field) ?? new Map<string, number>();
    values.set(value, (values.get(value) ?? 0) + 1);
    counts.set(field, values);
  };
  for (const row of rows.slice(0, ROWS_LOOKED_AT)) {
    count("user", row.user);
    count("session", row.session_id);
    count("name", row.name);
    for (const [key, value] of Object.entries(row.tags)) {
      if (!key.startsWith("mlflow.")) count(`tags.${writeKey(key)}`, value);
    }
    for (const assessment of row.assessments) {
      const value = assessment.feedback?.value;
      if (value !== undefined && value !== null && typeof value !== "object") {
        count(`feedback.${writeKey(assessment.name)}`, String(value));
      }
    }
  }
  const sorted = [...counts].map(([field, values]) => {
    const byCount = [...values].toSorted((a, b) => b[1] - a[1]);
    return [field, byCount.map(([value]) => value)] as const;
  });
  return Object.fromEntries(sorted);
}

function writeKey(key: string): string {
  return PLAIN_KEY.test(key) ? key : `\`${key}\``;
}
