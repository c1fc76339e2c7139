// The trace list of one experiment. The address says what is shown; this page only reads and changes it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { RefreshCw, SearchX } from "lucide-react";
import { type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import { experimentQuery, useExperimentName } from "@/shared/api/get-experiment";
import type { TraceInfo } from "@/shared/api/types";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { Switch } from "@/shared/components/switch";
import { useDocumentTitle } from "@/shared/document-title";
import { plural } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { addClause } from "./filter";
import { FilterBar } from "./filter-bar";
import { FirstTrace } from "./first-trace";
import { observeValues } from "./observed-values";
import { RangeMenu } from "./range-menu";
import { ROW_PX, TraceGrid } from "./trace-grid";
import { STATUS_CHOICES, type TracesSearch } from "./traces-search";
import { useApplyFilter } from "./use-apply-filter";
import { type TracesKey, useTraces } from "./use-traces";
import "./traces-page.css";

const route = getRouteApi("/p/$experimentId/traces");

export default function TracesPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { q, range, status, live } = route.useSearch();
  const navigate = route.useNavigate();
  const name = useExperimentName(experimentId);
  useDocumentTitle(`${name} traces`);

  const key = useMemo<TracesKey>(() => ({ experimentId, q, range, status }), [experimentId, q, range, status]);
  const scroll = useRef<HTMLDivElement>(null);
  const isAtTop = useCallback(() => (scroll.current?.scrollTop ?? 0) < ROW_PX / 2, []);
  const isLive = live !== false;
  const { list, rows, waiting, showWaiting, liveError } = useTraces(key, isLive, isAtTop);
  const [position, keepPosition] = usePosition(key);
  const [activeId, setActiveId] = useState<string | null>(position?.activeId ?? null);
  const active = activeId === null ? -1 : rows.findIndex((row) => row.trace_id === activeId);
  const input = useRef<HTMLInputElement>(null);
  const observed = useMemo(() => observeValues(rows), [rows]);

  const change = useCallback(
    (next: TracesSearch) => void navigate({ search: (old) => ({ ...old, ...next }) }),
    [navigate],
  );
  const filter = useApplyFilter(key, change, list.error);
  const activate = (index: number): void => setActiveId(rows[index]?.trace_id ?? null);
  const open = (trace: TraceInfo): void => {
    keepPosition({ offsetPx: scroll.current?.scrollTop ?? 0, activeId: trace.trace_id });
    const params = { experimentId, traceId: trace.trace_id };
    void navigate({ to: "/p/$experimentId/t/$traceId", params });
  };
  const step = (by: number): void => {
    activate(Math.min(Math.max(active + by, 0), rows.length - 1));
    scroll.current?.focus({ preventScroll: true });
  };
  useHotkeys({
    "/": () => input.current?.select(),
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => rows[active] && open(rows[active]),
    Escape: () => setActiveId(null),
    ".": () => change({ live: isLive ? false : undefined }),
  });
  const { fetchNextPage, isFetchingNextPage } = list;
  const loadMore = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);
  const missing = useQuery(experimentQuery(experimentId)).error;
  const narrowed = Boolean(q ?? range ?? status);

  return (
    <main className="traces">
      <div className="page-head">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/">Experiments</Link>
          <span aria-hidden>/</span>
          <h1 className="truncate">{name}</h1>
        </nav>
        <span className="spacer" />
        {liveError && <span className="badge warn">Live is behind</span>}
        <Switch
          label="Live"
          checked={isLive}
          title="New traces come in by themselves (.)"
          onChange={(on) => change({ live: on ? undefined : false })}
        />
        {!isLive && (
          <button type="button" className="button" onClick={() => void list.refetch()}>
            <RefreshCw size={14} aria-hidden /> Refresh
          </button>
        )}
      </div>
      <div className="traces-tools">
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <FilterBar
          applied={q ?? ""}
          onApply={filter.apply}
          busy={filter.busy}
          error={filter.error}
          observed={observed}
          inputRef={input}
        />
        <select
          className="button tall"
          aria-label="Status"
          data-testid="status-select"
          value={status ?? ""}
          onChange={(event) =>
            change({ status: STATUS_CHOICES.find((choice) => choice.value === event.target.value)?.value })
          }
        >
          <option value="">Any status</option>
          {STATUS_CHOICES.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      </div>
      <div className="traces-list">
        {waiting.traces.length > 0 && (
          <button
            type="button"
            className="new-pill"
            data-testid="new-traces"
            onClick={() => {
              showWaiting();
              scroll.current?.scrollTo({ top: 0 });
            }}
          >
            ↑ {waiting.gap ? `${waiting.traces.length}+ new traces` : plural(waiting.traces.length, "new trace")}
          </button>
        )}
        {list.isPending && <RowSkeletons rows={14} rowHeightPx={ROW_PX} />}
        {list.isError && rows.length === 0 && !filter.error && (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        )}
        {missing && rows.length === 0 && <ErrorState error={missing} />}
        {rows.length > 0 && (
          <TraceGrid
            rows={rows}
            active={active}
            hasMore={list.hasNextPage}
            dimmed={list.isPlaceholderData}
            scrollRef={scroll}
            initialOffsetPx={position?.offsetPx ?? 0}
            onActivate={activate}
            onOpen={open}
            onAddClause={(clause) => filter.apply(addClause(q, clause))}
            onNearEnd={loadMore}
          />
        )}
        {list.isSuccess && rows.length === 0 && !narrowed && !missing && (
          <FirstTrace experimentId={experimentId} experimentName={name} live={isLive} />
        )}
        {list.isSuccess && rows.length === 0 && narrowed && !filter.error && <NoMatch search={{ q, range, status }} onChange={change} />}
      </div>
      <span className="visually-hidden" role="status">
        {list.isSuccess && `${plural(rows.length, "trace")}${list.hasNextPage ? " and more" : ""}`}
      </span>
    </main>
  );
}

function NoMatch({ search, onChange }: {
  search: TracesSearch;
  onChange: (next: TracesSearch) => void;
}): ReactNode {
  return (
    <EmptyState icon={<SearchX size={28} aria-hidden />} title="No trace matches">
      <p>Take away one of the conditions:</p>
      <div className="actions">
        {search.q && (
          <button type="button" className="button" onClick={() => onChange({ q: undefined })}>
            Without the filter
          </button>
        )}
        {search.range && (
          <button type="button" className="button" onClick={() => onChange({ range: undefined })}>
            In all time
          </button>
        )}
        {search.status && (
          <button type="button" className="button" onClick={() => onChange({ status: undefined })}>
            In any status
          </button>
        )}
      </div>
    </EmptyState>
  );
}

type Position = { offsetPx: number; activeId: string };

/** Where the reader was in this list, for the way back from a trace. */
function usePosition(key: TracesKey): [Position | undefined, (position: Position) => void] {
  const cache = useQueryClient();
  const queryKey = ["traces-position", key];
  return [cache.getQueryData<Position>(queryKey), (position) => cache.setQueryData(queryKey, position)];
}
