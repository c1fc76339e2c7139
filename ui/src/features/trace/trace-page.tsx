// One trace: its header, the tree with the timeline, and the detail of the selected span.
import { useCanGoBack, getRouteApi, useRouter } from "@tanstack/react-router";
import { Hourglass } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { useExperimentName } from "@/shared/api/get-experiment";
import type { TraceInfo } from "@/shared/api/types";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";
import { formatCount } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { useTrace } from "./api/get-trace";
import { useSpans } from "./api/list-spans";
import { Feedback } from "./feedback";
import { LogView, RawView } from "./log/log-view";
import { SpanDetail } from "./span-detail";
import { SpanTree } from "./span-tree";
import { Split } from "./split";
import { findWindow, type TimeWindow } from "./timeline";
import { TraceHeader } from "./trace-header";
import { buildRows, type TreeRow } from "./tree";
import { useNowNs } from "./use-now";
import type { TraceSearch } from "./trace-search";
import { ViewSwitch } from "./view-switch";
import { useTreeKeys } from "./use-tree-keys";
import "./trace-page.css";

const route = getRouteApi("/p/$experimentId/t/$traceId");

export default function TracePage(): ReactNode {
  const { experimentId, traceId } = route.useParams();
  const trace = useTrace(traceId);
  const navigate = route.useNavigate();
  const router = useRouter();
  const canGoBack = useCanGoBack();
  const experimentName = useExperimentName(experimentId);
  useDocumentTitle(trace.data?.name ?? "Trace");

  const { view } = route.useSearch();
  const changeView = (next: TraceSearch): void =>
    void navigate({ search: (old) => ({ ...old, ...next }), replace: true });
  const back = (): void => {
    if (canGoBack) router.history.back();
    else void navigate({ to: "/p/$experimentId/traces", params: { experimentId } });
  };
  useHotkeys({ Escape: back });

  if (trace.isPending) {
    return (
      <main>
        <RowSkeletons rows={12} rowHeightPx={34} />
      </main>
    );
  }
  if (!trace.data) {
    return (
      <main>
        <ErrorState error={trace.error} onRetry={() => void trace.refetch()} />
      </main>
    );
  }
  return (
    <main className="trace">
      <TraceHeader
        trace={trace.data}
        experimentName={experimentName}
        onBack={back}
        actions={
          <>
            <ViewSwitch view={view} onChange={(next) => changeView({ view: next })} />
            <Feedback trace={trace.data} />
          </>
        }
      />
      {view === undefined && <Spans key={traceId} trace={trace.data} />}
      {view === "log" && (
        <LogView trace={trace.data} onSelect={(span) => changeView({ view: undefined, span })} />
      )}
      {view === "raw" && <RawView trace={trace.data} />}
    </main>
  );
}

function Spans({ trace }: { trace: TraceInfo }): ReactNode {
  const { span: wantedId, tab } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useSpans(trace.trace_id, trace);
  const { spans } = query;
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [zoom, setZoom] = useState<TimeWindow | null>(null);
  const nowNs = useNowNs(spans.some((span) => span.end_time_unix_nano === null));

  const rows = useMemo(() => buildRows(spans, folded), [spans, folded]);
  const whole = useMemo(() => findWindow(spans, nowNs), [spans, nowNs]);
  const selected = rows.find((row) => row.id === wantedId) ?? (wantedId ? undefined : firstSpan(rows));
  // A span inside a folded row keeps its detail although its row is not shown.
  const head = selected?.kind === "span" ? selected.span : spans.find((one) => one.span_id === wantedId);

  const select = (rowId: string): void =>
    void navigate({ search: (old) => ({ ...old, span: rowId }), replace: true });
  const fold = (rowId: string, isFolded: boolean): void => {
    const next = new Set(folded);
    if (isFolded) next.add(rowId);
    else next.delete(rowId);
    setFolded(next);
  };
  const zoomToSpan = (): void => {
    if (zoom || !head) return setZoom(null);
    const untilNs = head.end_time_unix_nano ?? nowNs;
    const marginNs = Math.max((untilNs - head.start_time_unix_nano) * 0.05, 1000);
    setZoom({ fromNs: head.start_time_unix_nano - marginNs, untilNs: untilNs + marginNs });
  };
  useTreeKeys(rows, selected, { select, fold, zoom: zoomToSpan });

  if (query.isError && spans.length === 0) {
    return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  }
  if (query.isPending) return <RowSkeletons rows={10} rowHeightPx={30} />;
  if (rows.length === 0) {
    return (
      <EmptyState icon={<Hourglass size={28} aria-hidden />} title="No span is here yet">
        <p>They appear by themselves as they arrive.</p>
      </EmptyState>
    );
  }
  return (
    <Split
      left={
        <>
          <SpanTree
            rows={rows}
            selectedId={selected?.id ?? null}
            window={zoom ?? whole}
            traceFromNs={whole.fromNs}
            nowNs={nowNs}
            zoomed={zoom !== null}
            onSelect={select}
            onFold={fold}
            onZoom={setZoom}
          />
          {(query.hasNextPage || query.isFetchingNextPage) && (
            <p className="spans-loading" role="status">
              {formatCount(spans.length)} of {formatCount(trace.span_count)} spans
            </p>
          )}
        </>
      }
      right={
        head ? (
          <SpanDetail
            head={head}
            nowNs={nowNs}
            tab={tab}
            onTab={(next) =>
              void navigate({ search: (old) => ({ ...old, tab: next }), replace: true })
            }
          />
        ) : (
          <NoDetail row={selected} />
        )
      }
    />
  );
}

function NoDetail({ row }: { row: TreeRow | undefined }): ReactNode {
  const waiting = row?.kind === "missing-parent";
  return (
    <EmptyState
      icon={<Hourglass size={28} aria-hidden />}
      title={waiting ? "This span has not arrived" : "No such span in this trace"}
    >
      {waiting && (
        <p>
          Spans below it name <code>{row.missingSpanId}</code> as their parent. Its row fills in when it comes.
        </p>
      )}
    </EmptyState>
  );
}

function firstSpan(rows: readonly TreeRow[]): TreeRow | undefined {
  return rows.find((row) => row.kind === "span") ?? rows[0];
}
