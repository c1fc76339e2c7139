// The states a page can be in besides showing its data.
import { CloudOff, RotateCw, SearchX } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";

export function ErrorState({ error, onRetry }: { error: Error; onRetry?: () => void }): ReactNode {
  const missing = error instanceof ApiError && error.status === 404;
  const worthRetrying = !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
  const Icon = missing ? SearchX : CloudOff;
  return (
    <div className="state failed" role="alert">
      <Icon size={28} aria-hidden />
      <h2>{nameError(error)}</h2>
      <p>{error.message}</p>
      {onRetry && worthRetrying && (
        <div className="actions">
          <button type="button" className="button" onClick={onRetry}>
            <RotateCw size={14} aria-hidden /> Try again
          </button>
        </div>
      )}
    </div>
  );
}

export function EmptyState({ icon, title, children }: {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
}): ReactNode {
  return (
    <div className="state">
      {icon}
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Grey bars of the height the rows will have. */
export function RowSkeletons({ rows, rowHeightPx }: { rows: number; rowHeightPx: number }): ReactNode {
  return (
    <div role="status" aria-label="Loading" style={{ padding: "0 14px" }}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} style={{ height: rowHeightPx, display: "flex", alignItems: "center" }}>
          <span className="skeleton" style={{ height: 12, width: `${88 - ((row * 17) % 38)}%` }} />
        </div>
      ))}
    </div>
  );
}

function nameError(error: Error): string {
  if (!(error instanceof ApiError)) return "Something went wrong on this page";
  if (error.status === 0) return "The server cannot be reached";
  if (error.status === 404) return "Not found";
  if (error.status === 403) return "You may not see this";
  if (error.status === 503) return "The server is busy";
  return error.status < 500 ? "The request was refused" : "The server failed";
}
