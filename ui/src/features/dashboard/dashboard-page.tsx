// How the agent does: volume, failures, latency, cost, tokens, models, tools. A drag over a chart zooms all.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { ChartColumn, RefreshCw } from "lucide-react";
import { type ReactNode, useCallback, useMemo, useRef } from "react";
import { ApiError } from "@/shared/api/client";
import { useExperimentName } from "@/shared/api/get-experiment";
import { PageHead } from "@/shared/components/page-head";
import { EmptyState, ErrorState } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";
import { useHotkeys } from "@/shared/hotkeys";
import { writeRange } from "@/shared/query/buckets";
import { FilterBar, toFilterError } from "@/shared/query/filter-bar";
import { RangeMenu } from "@/shared/query/range-menu";
import type { Scope } from "@/shared/query/scope";
import type { ScopeSearch } from "@/shared/query/scope-search";
import { ChartCard } from "./chart-card";
import { CHARTS } from "./charts";
import { frameQuery } from "./dashboard-query";
import { Ranking, TopErrors } from "./ranking";
import { StatTiles } from "./stat-tiles";
import "./dashboard.css";

const route = getRouteApi("/p/$experimentId/dashboard");

export default function DashboardPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { q, range } = route.useSearch();
  const navigate = route.useNavigate();
  const cache = useQueryClient();
  const name = useExperimentName(experimentId);
  useDocumentTitle(`${name} dashboard`);
  const scope = useMemo<Scope>(() => ({ experimentId, q, range }), [experimentId, q, range]);
  const frame = useQuery(frameQuery(scope));
  const input = useRef<HTMLInputElement>(null);
  const change = useCallback(
    (next: ScopeSearch) => void navigate({ search: (old) => ({ ...old, ...next }) }),
    [navigate],
  );
  const onBrush = useCallback((from: number, until: number) => change({ range: writeRange(from, until) }), [change]);
  const refresh = (): void => {
    void cache.invalidateQueries({ queryKey: ["dashboard"] });
    void cache.invalidateQueries({ queryKey: ["facets"] });
  };
  useHotkeys({ "/": () => input.current?.select() });
  const refused = frame.error instanceof ApiError && frame.error.status === 400 ? frame.error : null;

  return (
    <main>
      <PageHead experimentId={experimentId} experimentName={name} title="Dashboard">
        <span className="spacer" />
        <button type="button" className="button" onClick={refresh}>
          <RefreshCw size={14} aria-hidden /> Refresh
        </button>
      </PageHead>
      <div className="page-tools">
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <FilterBar
          scope={scope}
          onApply={(text) => change({ q: text || undefined })}
          busy={frame.isFetching}
          error={refused && toFilterError(refused)}
          inputRef={input}
        />
      </div>
      <div className="dashboard">
        {frame.isError && !refused && <ErrorState error={frame.error} onRetry={() => void frame.refetch()} />}
        {frame.data === null && (
          <EmptyState icon={<ChartColumn size={28} aria-hidden />} title="No trace to draw">
            <p>{q || range ? "Another time or another filter may have some." : "Traces are drawn here as they come."}</p>
          </EmptyState>
        )}
        {frame.data && (
          <>
            <StatTiles scope={scope} body={frame.data.body} />
            <div className="charts">
              {CHARTS.map((chart) => (
                <ChartCard key={chart.id} chart={chart} frame={frame.data as NonNullable<typeof frame.data>} onBrush={onBrush} />
              ))}
              <Ranking scope={scope} body={frame.data.body} dimension="model" title="Models" />
              <Ranking scope={scope} body={frame.data.body} dimension="tool" title="Tools" />
              <TopErrors scope={scope} />
            </div>
          </>
        )}
      </div>
    </main>
  );
}
