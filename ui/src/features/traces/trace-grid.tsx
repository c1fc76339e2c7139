// The rows of the list. Only those in the window are in the page; the active one is named by id.
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, type ReactNode, type RefObject, useEffect } from "react";
import type { TraceInfo, TraceState } from "@/shared/api/types";
import { FeedbackChips } from "@/shared/components/feedback-chips";
import { StatusBadge } from "@/shared/components/status-badge";
import { Time } from "@/shared/components/time";
import { formatCost, formatCount, formatDuration } from "@/shared/format";
import { previewLine } from "@/shared/preview";
import { writeTerm } from "@/shared/query/terms";
import "./trace-grid.css";

export const ROW_PX = 30;
const HEAD_PX = 33;
const COLUMNS = [
  ["time", "Time"],
  ["status", "Status"],
  ["name", "Name"],
  ["request", "Request"],
  ["response", "Response"],
  ["latency", "Latency"],
  ["tokens", "Tokens"],
  ["cost", "Cost"],
  ["user", "User"],
  ["session", "Session"],
  ["feedback", "Feedback"],
] as const;
const STATE_TERMS: Record<TraceState, string> = { OK: "ok", ERROR: "failed", IN_PROGRESS: "running" };

type Props = {
  rows: readonly TraceInfo[];
  active: number;
  hasMore: boolean;
  dimmed: boolean;
  scrollRef: RefObject<HTMLDivElement | null>;
  initialOffsetPx: number;
  onActivate: (index: number) => void;
  onOpen: (trace: TraceInfo) => void;
  /** A term of a filter, to be held or to be excluded. */
  onFilter: (term: string, exclude: boolean) => void;
  onNearEnd: () => void;
};

export function TraceGrid(props: Props): ReactNode {
  const { rows, active, hasMore, scrollRef, onNearEnd } = props;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scrollRef.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => rows[index]?.trace_id ?? index,
    overscan: 12,
    initialOffset: props.initialOffsetPx,
    // Rows begin below the head, which stays: a row at the bottom needs that much more.
    scrollPaddingEnd: HEAD_PX,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;

  useEffect(() => {
    if (hasMore && lastShown >= rows.length - 30) onNearEnd();
  }, [hasMore, lastShown, rows.length, onNearEnd]);
  useEffect(() => {
    if (active >= 0) virtual.scrollToIndex(active, { align: "auto" });
  }, [active, virtual]);

  const activeRow = rows[active];
  return (
    <div
      className={props.dimmed ? "grid dimmed" : "grid"}
      role="grid"
      aria-label="Traces"
      aria-rowcount={hasMore ? -1 : rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={activeRow ? `row-${activeRow.trace_id}` : undefined}
      tabIndex={0}
      ref={scrollRef}
    >
      <div role="rowgroup" className="grid-head">
        <div role="row" aria-rowindex={1} className="grid-row">
          {COLUMNS.map(([key, label]) => (
            <div key={key} role="columnheader" className={`cell ${key}`}>
              {label}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const trace = rows[item.index];
          return trace ? (
            <TraceRow
              key={item.key}
              trace={trace}
              index={item.index}
              top={item.start}
              active={item.index === active}
              onActivate={props.onActivate}
              onOpen={props.onOpen}
              onFilter={props.onFilter}
            />
          ) : null;
        })}
      </div>
    </div>
  );
}

type RowProps = Pick<Props, "onActivate" | "onOpen" | "onFilter"> & {
  trace: TraceInfo;
  index: number;
  top: number;
  active: boolean;
};

function TraceRow({ trace, index, top, active, onActivate, onOpen, onFilter }: RowProps): ReactNode {
  const onClick = (event: MouseEvent<HTMLElement>): void => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>("[data-term]");
    if (event.altKey && cell?.dataset["term"]) {
      event.preventDefault();
      onFilter(cell.dataset["term"], event.shiftKey);
    } else if (!(event.target as HTMLElement).closest("a") && !getSelection()?.toString()) {
      onActivate(index);
      onOpen(trace);
    }
  };
  const request = previewLine(trace.request_preview);
  const response = previewLine(trace.response_preview);
  const tokens = trace.token_usage;
  return (
    // The grid takes the keys; the link in the name is there for a new tab.
    <div
      role="row"
      id={`row-${trace.trace_id}`}
      className={`grid-row trace-row${active ? " active" : ""}`}
      aria-rowindex={index + 2}
      aria-selected={active}
      data-testid="trace-row"
      data-trace-id={trace.trace_id}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onClick}
    >
      <div role="gridcell" className="cell time">
        <Time iso={trace.request_time} />
      </div>
      <div role="gridcell" className="cell status" data-term={STATE_TERMS[trace.state]}>
        <StatusBadge state={trace.state} errorCount={trace.error_count} />
      </div>
      <div role="gridcell" className="cell name" data-term={trace.name ? writeTerm("name", trace.name) : ""}>
        <Link
          to="/p/$experimentId/t/$traceId"
          params={{ experimentId: trace.experiment_id, traceId: trace.trace_id }}
          tabIndex={-1}
          title={trace.name ?? trace.trace_id}
        >
          {trace.name ?? trace.trace_id.slice(0, 11)}
        </Link>
      </div>
      <div role="gridcell" className="cell request" title={request}>
        {request || <Missing />}
      </div>
      <div role="gridcell" className="cell response" title={response}>
        {response || <Missing />}
      </div>
      <div role="gridcell" className="cell latency">
        {formatDuration(trace.execution_duration_ms)}
      </div>
      <div
        role="gridcell"
        className="cell tokens"
        title={tokens ? `${tokens.input_tokens} in, ${tokens.output_tokens} out` : undefined}
      >
        {formatCount(tokens?.total_tokens)}
      </div>
      <div role="gridcell" className="cell cost">
        {formatCost(trace.cost?.total_cost)}
      </div>
      <div
        role="gridcell"
        className="cell user"
        title={trace.user ?? undefined}
        data-term={trace.user ? writeTerm("user", trace.user) : ""}
      >
        {trace.user ?? <Missing />}
      </div>
      <div
        role="gridcell"
        className="cell session"
        title={trace.session_id ?? undefined}
        data-term={trace.session_id ? writeTerm("session", trace.session_id) : ""}
      >
        {trace.session_id ?? <Missing />}
      </div>
      <div role="gridcell" className="cell feedback">
        <FeedbackChips assessments={trace.assessments} limit={1} />
      </div>
    </div>
  );
}

function Missing(): ReactNode {
  return <span className="missing">–</span>;
}
