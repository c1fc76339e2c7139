// The whole trace from its beginning to its end as text: to read, to search with the browser, to copy.
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Span, TraceInfo } from "@/shared/api/types";
import { ErrorState, RowSkeletons } from "@/shared/components/states";
import { formatCount } from "@/shared/format";
import { wholeSpansQuery } from "../api/list-whole-spans";
import { SpanTypeIcon } from "../span-type";
import { type LogEntry, writeEntry } from "./lines";
import "./log-view.css";

type Props = { trace: TraceInfo; onSelect: (spanId: string) => void };

export function LogView({ trace, onSelect }: Props): ReactNode {
  const list = useInfiniteQuery(wholeSpansQuery(trace));
  const spans = list.data?.pages.flatMap((page) => page.spans) ?? [];
  if (list.isPending) return <RowSkeletons rows={12} rowHeightPx={30} />;
  if (list.isError && spans.length === 0) {
    return <ErrorState error={list.error} onRetry={() => void list.refetch()} />;
  }
  const startNs = spans[0]?.start_time_unix_nano ?? 0;
  return (
    <div className="log" role="region" aria-label="Log of the trace">
      <ol>
        {spans.map((span) => (
          <Entry key={span.span_id} entry={writeEntry(span, startNs)} onSelect={onSelect} />
        ))}
      </ol>
      {list.hasNextPage && (
        <button
          type="button"
          className="button"
          disabled={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
        >
          The next of {formatCount(trace.span_count)} spans
        </button>
      )}
    </div>
  );
}

function Entry({ entry, onSelect }: { entry: LogEntry; onSelect: (spanId: string) => void }): ReactNode {
  return (
    <li className={entry.failed ? "log-entry failed" : "log-entry"} data-testid="log-entry">
      <button type="button" className="log-head" onClick={() => onSelect(entry.spanId)} title="Open the span in the tree">
        <span className="log-at">{entry.at}</span>
        <SpanTypeIcon spanType={entry.type} />
        <b>{entry.name}</b>
        <span className="log-took">{entry.duration}</span>
        {entry.failed && <span className="badge error">Failed</span>}
      </button>
      {entry.parts.map(({ label, text }) => (
        <div key={label} className={`log-part ${label}`}>
          <span>{label}</span>
          <pre>{text}</pre>
        </div>
      ))}
    </li>
  );
}

/** All of it as JSON. What a browser reads as a number loses digits past 2^53; the links have them all. */
export function RawView({ trace }: { trace: TraceInfo }): ReactNode {
  const list = useInfiniteQuery(wholeSpansQuery(trace));
  const spans: Span[] = list.data?.pages.flatMap((page) => page.spans) ?? [];
  if (list.isPending) return <RowSkeletons rows={12} rowHeightPx={30} />;
  if (list.isError && spans.length === 0) {
    return <ErrorState error={list.error} onRetry={() => void list.refetch()} />;
  }
  return (
    <div className="log" role="region" aria-label="JSON of the trace">
      <p className="raw-links">
        <a href={`/api/v1/traces/${trace.trace_id}`} target="_blank" rel="noreferrer">
          Info
        </a>
        <a href={`/api/v1/traces/${trace.trace_id}/spans?max_results=1000`} target="_blank" rel="noreferrer">
          Spans
        </a>
        <span className="log-took">as the server tells them, to the last digit</span>
        {list.hasNextPage && (
          <button type="button" className="button small" onClick={() => void list.fetchNextPage()}>
            {formatCount(spans.length)} of {formatCount(trace.span_count)} spans are shown; more
          </button>
        )}
      </p>
      <pre className="raw">{JSON.stringify({ info: trace, spans }, null, 2)}</pre>
    </div>
  );
}
