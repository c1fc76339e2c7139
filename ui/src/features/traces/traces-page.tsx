// The trace list of one experiment. The address says what is shown; this page only reads and changes it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ListFilter, RefreshCw } from "lucide-react";
import { type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import { experimentQuery, useExperimentName } from "@/shared/api/get-experiment";
import type { TraceInfo } from "@/shared/api/types";
import { ErrorState, RowSkeletons } from "@/shared/components/states";
import { Switch } from "@/shared/components/switch";
import { useDocumentTitle } from "@/shared/document-title";
import { plural } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { FilterBar } from "@/shared/query/filter-bar";
import { RangeMenu } from "@/shared/query/range-menu";
import { addTerm } from "@/shared/query/terms";
import { FacetRail } from "./facet-rail";
import { FirstTrace } from "./first-trace";
import { TraceHistogram } from "./histogram";
import { NoMatch } from "./no-match";
import { ROW_PX, TraceGrid } from "./trace-grid";
import type { TracesSearch } from "./traces-search";
import { useApplyFilter } from "./use-apply-filter";
import { type TracesKey, useTraces } from "./use-traces";
import "./traces-page.css";

const route = getRouteApi("/p/$experimentId/traces");

export default function TracesPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { q, range, live, facets } = route.useSearch();
  const navigate = route.useNavigate();
  const name = useExperimentName(experimentId);
  useDocumentTitle(`${name} traces`);

  const key = useMemo<TracesKey>(() => ({ experimentId, q, range }), [experimentId, q, range]);
  const scroll = useRef<HTMLDivElement>(null);
  const isAtTop = useCallback(() => (scroll.current?.scrollTop ?? 0) < ROW_PX / 2, []);
  const isLive = live !== false;
  const { list, rows, waiting, showWaiting, isBehind } = useTraces(key, isLive, isAtTop);
  const [position, keepPosition] = usePosition(key);
  const [activeId, setActiveId] = useState<string | null>(position?.activeId ?? null);
  const active = activeId === null ? -1 : rows.findIndex((row) => row.trace_id === activeId);
  const input = useRef<HTMLInputElement>(null);

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
  const narrowed = Boolean(q ?? range);
  const railIsOpen = facets !== false;
  const isFirst = list.isSuccess && rows.length === 0 && !narrowed && !missing;

  return (
    <main className="traces">
      <div className="page-head">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/">Experiments</Link>
          <span aria-hidden>/</span>
          <h1 className="truncate">{name}</h1>
        </nav>
        <span className="spacer" />
        {isBehind && (
          <span className="badge warn" role="status">
            Live waits for the server
          </span>
        )}
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
      <div className="page-tools">
        {!railIsOpen && (
          <button
            type="button"
            className="button tall icon"
            aria-label="Show the facets"
            title="Show the facets"
            onClick={() => change({ facets: undefined })}
          >
            <ListFilter size={15} aria-hidden />
          </button>
        )}
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <FilterBar scope={key} onApply={filter.apply} busy={filter.busy} error={filter.error} inputRef={input} />
      </div>
      {!isFirst && <TraceHistogram scope={key} live={isLive} onRange={(text) => change({ range: text })} />}
      <div className="traces-body">
      {railIsOpen && !isFirst && (
        <FacetRail
          scope={key}
          live={isLive}
          onChange={(text) => change({ q: text || undefined })}
          onClose={() => change({ facets: false })}
        />
      )}
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
            onFilter={(term, exclude) => filter.apply(addTerm(q ?? "", exclude ? `-${term}` : term))}
            onNearEnd={loadMore}
          />
        )}
        {isFirst && (
          <FirstTrace experimentId={experimentId} experimentName={name} live={isLive} />
        )}
        {list.isSuccess && rows.length === 0 && narrowed && !filter.error && <NoMatch scope={key} onChange={change} />}
      </div>
      </div>
      <span className="visually-hidden" role="status">
        {list.isSuccess && `${plural(rows.length, "trace")}${list.hasNextPage ? " and more" : ""}`}
      </span>
    </main>
  );
}

type Position = { offsetPx: number; activeId: string };

/** Where the reader was in this list, for the way back from a trace. */
function usePosition(key: TracesKey): [Position | undefined, (position: Position) => void] {
  const cache = useQueryClient();
  const queryKey = ["traces-position", key];
  return [cache.getQueryData<Position>(queryKey), (position) => cache.setQueryData(queryKey, position)];
}
