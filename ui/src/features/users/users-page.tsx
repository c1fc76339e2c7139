// Who uses the agent, what it costs and how it goes for each. Every number leads to its traces.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Users } from "lucide-react";
import { type ReactNode, useMemo, useRef } from "react";
import { ApiError } from "@/shared/api/client";
import { useExperimentName } from "@/shared/api/get-experiment";
import { PageHead } from "@/shared/components/page-head";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";
import { plural } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { FilterBar, toFilterError } from "@/shared/query/filter-bar";
import { RangeMenu } from "@/shared/query/range-menu";
import type { Scope } from "@/shared/query/scope";
import { UserTable } from "./user-table";
import { activityQuery, usersQuery } from "./users-query";
import { nextSort, type UsersSearch } from "./users-search";

const route = getRouteApi("/p/$experimentId/users");

export default function UsersPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { q, range, sort } = route.useSearch();
  const navigate = route.useNavigate();
  const name = useExperimentName(experimentId);
  useDocumentTitle(`${name} users`);
  const scope = useMemo<Scope>(() => ({ experimentId, q, range }), [experimentId, q, range]);
  const users = useQuery(usersQuery(scope, sort));
  const rows = users.data?.rows ?? [];
  const activity = useQuery(activityQuery(scope, rows));
  const input = useRef<HTMLInputElement>(null);
  useHotkeys({ "/": () => input.current?.select() });
  const change = (next: UsersSearch): void => void navigate({ search: (old) => ({ ...old, ...next }) });
  const refused = users.error instanceof ApiError && users.error.status === 400 ? users.error : null;

  return (
    <main>
      <PageHead experimentId={experimentId} experimentName={name} title="Users">
        {users.data && <span className="badge">{plural(users.data.count, "user")}</span>}
      </PageHead>
      <div className="page-tools">
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <FilterBar
          scope={scope}
          onApply={(text) => change({ q: text || undefined })}
          busy={users.isFetching && users.isPlaceholderData}
          error={refused && toFilterError(refused)}
          inputRef={input}
        />
      </div>
      <div className="users-list">
        {users.isPending && <RowSkeletons rows={12} rowHeightPx={36} />}
        {users.isError && !refused && rows.length === 0 && (
          <ErrorState error={users.error} onRetry={() => void users.refetch()} />
        )}
        {users.isSuccess && rows.length === 0 && <NoUsers narrowed={Boolean(q ?? range)} experimentId={experimentId} />}
        {rows.length > 0 && (
          <UserTable
            rows={rows}
            count={users.data?.count ?? 0}
            activity={activity.data}
            scope={scope}
            sort={sort}
            onSort={(column) => change({ sort: nextSort(sort, column) })}
          />
        )}
      </div>
    </main>
  );
}

function NoUsers({ narrowed, experimentId }: { narrowed: boolean; experimentId: string }): ReactNode {
  return (
    <EmptyState icon={<Users size={28} aria-hidden />} title={narrowed ? "No user matches" : "No user yet"}>
      {narrowed ? (
        <Link to="/p/$experimentId/users" params={{ experimentId }} className="button">
          All users
        </Link>
      ) : (
        <p>
          Traces that carry the attribute <code>user.id</code>, or MLflow's <code>mlflow.trace.user</code>, are counted
          here by user.
        </p>
      )}
    </EmptyState>
  );
}
