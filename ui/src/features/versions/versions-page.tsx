// Releases, and two of them, or any two filters, compared.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { GitCompareArrows } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { useExperimentName } from "@/shared/api/get-experiment";
import { PageHead } from "@/shared/components/page-head";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";
import { FilterBar } from "@/shared/query/filter-bar";
import { RangeMenu } from "@/shared/query/range-menu";
import type { Scope } from "@/shared/query/scope";
import { Compare } from "./compare";
import { ReleaseTable } from "./release-table";
import { releasesQuery } from "./releases-query";
import type { VersionsSearch } from "./versions-search";
import "./versions.css";

const route = getRouteApi("/p/$experimentId/versions");

export default function VersionsPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { a, b, range } = route.useSearch();
  const navigate = route.useNavigate();
  const name = useExperimentName(experimentId);
  useDocumentTitle(`${name} versions`);
  const scope: Scope = { experimentId, range };
  const releases = useQuery(releasesQuery(scope));
  const change = (next: VersionsSearch): void => void navigate({ search: (old) => ({ ...old, ...next }) });
  const isComparing = a !== undefined || b !== undefined;

  return (
    <main>
      <PageHead experimentId={experimentId} experimentName={name} title="Versions" />
      <div className="page-tools">
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <Side label="A" scope={{ ...scope, q: a }} onApply={(text) => change({ a: text || undefined })} />
        <Side label="B" scope={{ ...scope, q: b }} onApply={(text) => change({ b: text || undefined })} />
      </div>
      <div className="versions">
        {isComparing && <Compare a={{ ...scope, q: a }} b={{ ...scope, q: b }} />}
        <h2 className="versions-title">Releases</h2>
        {releases.isPending && <RowSkeletons rows={6} rowHeightPx={36} />}
        {releases.isError && <ErrorState error={releases.error} onRetry={() => void releases.refetch()} />}
        {releases.data && releases.data.length > 0 && <ReleaseTable releases={releases.data} scope={scope} />}
        {releases.data?.length === 0 && (
          <EmptyState icon={<GitCompareArrows size={28} aria-hidden />} title="No release is told">
            <p>
              A release is the resource attribute <code>service.version</code>, or a tag of that name. Any two filters
              can be compared above without it.
            </p>
          </EmptyState>
        )}
      </div>
    </main>
  );
}

function Side({ label, scope, onApply }: {
  label: string;
  scope: Scope;
  onApply: (text: string) => void;
}): ReactNode {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="versions-side">
      <span className="versions-mark" aria-hidden>
        {label}
      </span>
      <FilterBar
        scope={scope}
        label={`Traces of side ${label}`}
        onApply={onApply}
        busy={false}
        error={null}
        inputRef={input}
      />
    </div>
  );
}
