import type { ReactNode } from "react";
import { formatTime, formatTimeInFull } from "../format";

export function Time({ iso }: { iso: string }): ReactNode {
  return (
    <time dateTime={iso} title={formatTimeInFull(iso)}>
      {formatTime(iso)}
    </time>
  );
}
