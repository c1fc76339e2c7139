// What goes wrong, each error once however its numbers differ, and what became of it.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { CircleCheckBig } from "lucide-react";
import { type ReactNode, useMemo, useRef } from "react";
import { ApiError } from "@/shared/api/client";
import { useExperimentName } from "@/shared/api/get-experiment";
import { PageHead } from "@/shared/components/page-head";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";
import { formatCount } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { FilterBar, toFilterError } from "@/shared/query/filter-bar";
import { RangeMenu } from "@/shared/query/range-menu";
import type { Scope } from "@/shared/query/scope";
import { ErrorTable } from "./error-table";
import { errorsQuery } from "./errors-query";
import { ERROR_VIEWS, type ErrorsSearch, type ErrorView } from "./errors-search";
import "./errors.css";

const route = getRouteApi("/p/$experimentId/errors");
const LABELS: Record<ErrorView, string> = { open: "Open", resolved: "Resolved", muted: "Muted", all: "All" };

export default function ErrorsPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { q, range, show = "open" } = route.useSearch();
  const navigate = route.useNavigate();
  const name = useExperimentName(experimentId);
  useDocumentTitle(`${name} errors`);
  const scope = useMemo<Scope>(() => ({ experimentId, q, range }), [experimentId, q, range]);
  const errors = useQuery(errorsQuery(scope, show === "all" ? null : show));
  const groups = errors.data?.groups ?? [];
  const counts = errors.data?.counts;
  const all = counts ? counts.open + counts.resolved + counts.muted : 0;
  const input = useRef<HTMLInputElement>(null);
  useHotkeys({ "/": () => input.current?.select() });
  const change = (next: ErrorsSearch): void => void navigate({ search: (old) => ({ ...old, ...next }) });
  const refused = errors.error instanceof ApiError && errors.error.status === 400 ? errors.error : null;
  const hidden = (errors.data?.count ?? 0) - groups.length;

  return (
    <main>
      <PageHead experimentId={experimentId} experimentName={name} title="Errors" />
      <div className="page-tools">
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <FilterBar
          scope={scope}
          onApply={(text) => change({ q: text || undefined })}
          busy={errors.isFetching && errors.isPlaceholderData}
          error={refused && toFilterError(refused)}
          inputRef={input}
        />
        <div className="errors-views" role="group" aria-label="Status">
          {ERROR_VIEWS.map((view) => (
            <button
              key={view}
              type="button"
              className="button tall"
              aria-pressed={view === show}
              onClick={() => change({ show: view === "open" ? undefined : view })}
            >
              {LABELS[view]}
              <span className="errors-count">{counts && formatCount(view === "all" ? all : counts[view])}</span>
            </button>
          ))}
        </div>
      </div>
      <div className="errors-list">
        {errors.isPending && <RowSkeletons rows={10} rowHeightPx={36} />}
        {errors.isError && !refused && groups.length === 0 && (
          <ErrorState error={errors.error} onRetry={() => void errors.refetch()} />
        )}
        {errors.isSuccess && groups.length === 0 && (
          <EmptyState icon={<CircleCheckBig size={28} aria-hidden />} title={all > 0 ? "Nothing here" : "No error"}>
            <p>
              {all > 0
                ? "Errors of another status are behind the buttons above."
                : "No span of these traces failed."}
            </p>
          </EmptyState>
        )}
        {groups.length > 0 && <ErrorTable groups={groups} buckets={errors.data?.buckets ?? null} scope={scope} />}
        {hidden > 0 && <p className="table-cut">{formatCount(hidden)} rarer errors are not shown; a filter shows them.</p>}
      </div>
    </main>
  );
}
