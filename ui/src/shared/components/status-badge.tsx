import { CircleAlert, CircleCheck, LoaderCircle, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { TraceState } from "../api/types";

/** Failed means the root failed; "has errors" means that some span below it did. */
export function StatusBadge({ state, errorCount }: { state: TraceState; errorCount: number }): ReactNode {
  if (state === "ERROR") {
    return (
      <span className="badge error">
        <CircleAlert size={13} aria-hidden /> Failed
      </span>
    );
  }
  if (state === "IN_PROGRESS") {
    return (
      <span className="badge run">
        <LoaderCircle size={13} aria-hidden /> Running
      </span>
    );
  }
  if (errorCount > 0) {
    return (
      <span className="badge warn" title={`It ended well, but ${errorCount} of its spans failed`}>
        <TriangleAlert size={13} aria-hidden /> Has errors
      </span>
    );
  }
  return (
    <span className="badge ok">
      <CircleCheck size={13} aria-hidden /> OK
    </span>
  );
}
