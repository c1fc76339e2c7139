// The conversations of an experiment, the one that moved last on top.
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { MessagesSquare } from "lucide-react";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { ApiError } from "@/shared/api/client";
import { useExperimentName } from "@/shared/api/get-experiment";
import type { Session } from "@/shared/api/types";
import { PageHead } from "@/shared/components/page-head";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { Time } from "@/shared/components/time";
import { useDocumentTitle } from "@/shared/document-title";
import { formatCost, formatCount } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { previewLine } from "@/shared/preview";
import { FilterBar, toFilterError } from "@/shared/query/filter-bar";
import { RangeMenu } from "@/shared/query/range-menu";
import type { Scope } from "@/shared/query/scope";
import type { ScopeSearch } from "@/shared/query/scope-search";
import { sessionsQuery } from "./api/search-sessions";
import "./sessions.css";

const route = getRouteApi("/p/$experimentId/sessions");

export default function SessionsPage(): ReactNode {
  const { experimentId } = route.useParams();
  const { q, range } = route.useSearch();
  const navigate = route.useNavigate();
  const name = useExperimentName(experimentId);
  const scope = useMemo<Scope>(() => ({ experimentId, q, range }), [experimentId, q, range]);
  const list = useInfiniteQuery({ ...sessionsQuery(scope), refetchInterval: 5_000 });
  const sessions = list.data?.pages.flatMap((page) => page.sessions) ?? [];
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  useDocumentTitle(`${name} sessions`);

  const change = (next: ScopeSearch): void => void navigate({ search: (old) => ({ ...old, ...next }) });
  const step = (by: number): void => setActive(Math.min(Math.max(active + by, 0), sessions.length - 1));
  const open = (session: Session | undefined): void => {
    if (!session) return;
    const params = { experimentId, sessionId: session.session_id };
    void navigate({ to: "/p/$experimentId/s/$sessionId", params });
  };
  useHotkeys({
    "/": () => input.current?.select(),
    j: () => step(1),
    k: () => step(-1),
    Enter: () => open(sessions[active]),
  });
  const refused = list.error instanceof ApiError && list.error.status === 400 ? list.error : null;

  return (
    <main>
      <PageHead experimentId={experimentId} experimentName={name} title="Sessions" />
      <div className="page-tools">
        <RangeMenu range={range ?? ""} onChange={(text) => change({ range: text || undefined })} />
        <FilterBar
          scope={scope}
          onApply={(text) => change({ q: text || undefined })}
          busy={list.isFetching && list.isPlaceholderData}
          error={refused && toFilterError(refused)}
          inputRef={input}
        />
      </div>
      <div className="sessions-list">
        {list.isPending && <RowSkeletons rows={10} rowHeightPx={48} />}
        {list.isError && !refused && sessions.length === 0 && (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} />
        )}
        {list.isSuccess && sessions.length === 0 && (
          <EmptyState
            icon={<MessagesSquare size={28} aria-hidden />}
            title={q || range ? "No session matches" : "No session yet"}
          >
            <p>
              Traces that carry the attribute <code>session.id</code> are shown here as conversations.
            </p>
          </EmptyState>
        )}
        {sessions.length > 0 && (
          <SessionTable sessions={sessions} active={active} experimentId={experimentId} onOpen={open} />
        )}
        {list.hasNextPage && (
          <div className="sessions-more">
            <button type="button" className="button" onClick={() => void list.fetchNextPage()}>
              Load more
            </button>
          </div>
        )}
      </div>
    </main>
  );
}

type TableProps = {
  sessions: readonly Session[];
  active: number;
  experimentId: string;
  onOpen: (session: Session) => void;
};

function SessionTable({ sessions, active, experimentId, onOpen }: TableProps): ReactNode {
  return (
    <table className="sessions-table">
      <thead>
        <tr>
          <th scope="col">Last turn</th>
          <th scope="col">Session</th>
          <th scope="col">User</th>
          <th scope="col">First request</th>
          <th scope="col">Last answer</th>
          <th scope="col" className="number">Turns</th>
          <th scope="col" className="number">Failed</th>
          <th scope="col" className="number">Tokens</th>
          <th scope="col" className="number">Cost</th>
        </tr>
      </thead>
      <tbody>
        {sessions.map((session, index) => (
          // The link in the row takes the keys.
          <tr
            key={session.session_id}
            className={index === active ? "active" : ""}
            data-testid="session-row"
            onClick={() => onOpen(session)}
          >
            <td>
              <Time iso={session.last_request_time} />
            </td>
            <td className="session-id">
              <Link
                to="/p/$experimentId/s/$sessionId"
                params={{ experimentId, sessionId: session.session_id }}
                title={session.session_id}
              >
                {session.session_id}
              </Link>
            </td>
            <td>{session.user ?? "–"}</td>
            <td>{previewLine(session.first_request_preview) || "–"}</td>
            <td>{previewLine(session.last_response_preview) || "–"}</td>
            <td className="number">{formatCount(session.trace_count)}</td>
            <td className="number">
              {session.error_count > 0 ? <span className="badge error">{session.error_count}</span> : "–"}
            </td>
            <td className="number">{formatCount(session.token_usage?.total_tokens)}</td>
            <td className="number">{formatCost(session.cost?.total_cost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
