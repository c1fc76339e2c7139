// Tree and waterfall in one treegrid. Only the rows in the window are in the page.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight, CircleAlert } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import type { SpanHead } from "@/shared/api/types";
import { formatCost, formatCount, formatDuration } from "@/shared/format";
import { SpanTypeIcon, typeClass } from "./span-type";
import { TimeRuler } from "./time-ruler";
import { durationMs, placeBar, type TimeWindow } from "./timeline";
import type { TreeRow } from "./tree";
import "./span-tree.css";

const ROW_PX = 30;
const INDENT_PX = 14;
const DEEPEST_INDENT = 14;

type Props = {
  rows: readonly TreeRow[];
  selectedId: string | null;
  window: TimeWindow;
  traceFromNs: number;
  nowNs: number;
  zoomed: boolean;
  onSelect: (rowId: string) => void;
  onFold: (rowId: string, folded: boolean) => void;
  onZoom: (window: TimeWindow | null) => void;
};

export function SpanTree(props: Props): ReactNode {
  const { rows, selectedId } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 12,
    // Rows begin below the head, which stays: a row at the bottom needs that much more.
    scrollPaddingEnd: ROW_PX,
  });
  const selectedIndex = rows.findIndex((row) => row.id === selectedId);
  useEffect(() => {
    if (selectedIndex >= 0) virtual.scrollToIndex(selectedIndex, { align: "auto" });
    // Only a new selection scrolls: rows that arrive must not move what is being read.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [selectedId, virtual]);

  return (
    <div
      className="tree"
      role="treegrid"
      aria-label="Spans"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={selectedIndex >= 0 ? `span-${selectedId}` : undefined}
      tabIndex={0}
      ref={scroll}
      data-testid="span-tree"
    >
      <div role="rowgroup" className="tree-head">
        <div role="row" className="tree-row" aria-rowindex={1}>
          <div role="columnheader">Span</div>
          <div role="columnheader" className="tree-number tree-tokens">
            Tokens
          </div>
          <div role="columnheader" className="tree-number">
            Time
          </div>
          <div role="columnheader" className="tree-lane">
            <span className="visually-hidden">Timeline</span>
            <TimeRuler
              window={props.window}
              traceFromNs={props.traceFromNs}
              zoomed={props.zoomed}
              onZoom={props.onZoom}
            />
          </div>
        </div>
      </div>
      <div role="rowgroup" className="tree-body" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            // The treegrid takes the keys.
            <div
              key={item.key}
              role="row"
              id={`span-${row.id}`}
              data-testid="span-row"
              className={rowClass(row, row.id === selectedId)}
              aria-rowindex={item.index + 2}
              aria-level={row.level}
              aria-posinset={row.position}
              aria-setsize={row.setSize}
              aria-expanded={row.hasChildren ? row.expanded : undefined}
              aria-selected={row.id === selectedId}
              style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => props.onSelect(row.id)}
            >
              <Name row={row} onFold={props.onFold} />
              {row.kind === "span" ? (
                <Measures span={row.span} window={props.window} nowNs={props.nowNs} />
              ) : (
                <div role="gridcell" className="tree-missing-lane" />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Name({ row, onFold }: { row: TreeRow; onFold: Props["onFold"] }): ReactNode {
  const indent = Math.min(row.level - 1, DEEPEST_INDENT) * INDENT_PX;
  return (
    <div role="gridcell" className="tree-name" style={{ paddingLeft: 6 + indent }}>
      {row.hasChildren ? (
        <button
          type="button"
          className="tree-fold"
          tabIndex={-1}
          aria-label={row.expanded ? "Fold" : "Unfold"}
          onClick={(event) => {
            event.stopPropagation();
            onFold(row.id, row.expanded);
          }}
        >
          <ChevronRight size={13} aria-hidden />
        </button>
      ) : (
        <span className="tree-fold" />
      )}
      {row.kind === "missing-parent" ? (
        <span className="tree-missing">Parent not here yet</span>
      ) : (
        <>
          <SpanTypeIcon spanType={row.span.span_type} />
          <span className="truncate" title={row.span.name}>
            {row.span.name}
          </span>
          {row.span.status === "ERROR" && (
            <CircleAlert size={13} className="tree-failed" aria-label="Failed" />
          )}
          {row.span.model && <span className="tree-model truncate">{row.span.model}</span>}
        </>
      )}
    </div>
  );
}

function Measures({ span, window, nowNs }: {
  span: SpanHead;
  window: TimeWindow;
  nowNs: number;
}): ReactNode {
  const bar = placeBar(span, window, nowNs);
  const running = span.end_time_unix_nano === null;
  const cost = span.cost ? `, ${formatCost(span.cost.total_cost)}` : "";
  const tokens = span.token_usage;
  return (
    <>
      <div
        role="gridcell"
        className="tree-number tree-tokens"
        title={tokens ? `${tokens.input_tokens} in, ${tokens.output_tokens} out${cost}` : undefined}
      >
        {tokens ? formatCount(tokens.total_tokens) : ""}
      </div>
      <div role="gridcell" className="tree-number">
        {running ? "running" : formatDuration(durationMs(span, nowNs))}
      </div>
      <div role="gridcell" className="tree-lane">
        {bar && (
          <span
            className={`bar ${typeClass(span.span_type)}${span.status === "ERROR" ? " failed" : ""}${running ? " running" : ""}`}
            style={{ left: `${bar.left * 100}%`, width: `${bar.width * 100}%` }}
          />
        )}
      </div>
    </>
  );
}

function rowClass(row: TreeRow, selected: boolean): string {
  const classes = ["tree-row", "tree-span"];
  if (row.kind === "missing-parent") classes.push("missing");
  if (selected) classes.push("selected");
  return classes.join(" ");
}
