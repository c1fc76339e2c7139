// One conversation, turn by turn, with what each turn took.
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Bot, ListTree, MessagesSquare, User } from "lucide-react";
import { Fragment, type ReactNode } from "react";
import { useExperimentName } from "@/shared/api/get-experiment";
import type { TraceInfo } from "@/shared/api/types";
import { FeedbackChips } from "@/shared/components/feedback-chips";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { StatusBadge } from "@/shared/components/status-badge";
import { Time } from "@/shared/components/time";
import { useDocumentTitle } from "@/shared/document-title";
import { formatCost, formatCount, formatDuration, plural } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { readPreview } from "@/shared/preview";
import { turnsQuery } from "./api/list-turns";
import "./sessions.css";

const route = getRouteApi("/p/$experimentId/s/$sessionId");
const LONG_GAP_MS = 60_000;

export default function SessionPage(): ReactNode {
  const { experimentId, sessionId } = route.useParams();
  const navigate = useNavigate();
  const name = useExperimentName(experimentId);
  const list = useInfiniteQuery(turnsQuery(experimentId, sessionId));
  const turns = list.data?.pages.flatMap((page) => page.traces) ?? [];
  const params = { experimentId };
  useDocumentTitle(`Session ${sessionId}`);
  useHotkeys({ Escape: () => void navigate({ to: "/p/$experimentId/sessions", params }) });

  return (
    <main className="session">
      <div className="page-head">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/p/$experimentId/traces" params={params} className="truncate">
            {name}
          </Link>
          <span aria-hidden>/</span>
          <Link to="/p/$experimentId/sessions" params={params}>
            Sessions
          </Link>
          <span aria-hidden>/</span>
        </nav>
        <h1 className="truncate">{sessionId}</h1>
        <span className="spacer" />
        {turns.length > 0 && <Totals turns={turns} />}
      </div>
      <div className="session-scroll">
        {list.isPending && <RowSkeletons rows={8} rowHeightPx={64} />}
        {list.isError && <ErrorState error={list.error} onRetry={() => void list.refetch()} />}
        {list.isSuccess && turns.length === 0 && (
          <EmptyState icon={<MessagesSquare size={28} aria-hidden />} title="No trace in this session" />
        )}
        <ol className="session-turns">
          {turns.map((turn, index) => (
            <Fragment key={turn.trace_id}>
              <Gap before={turns[index - 1]} turn={turn} />
              <Turn turn={turn} number={index + 1} />
            </Fragment>
          ))}
        </ol>
        {list.hasNextPage && (
          <div className="sessions-more">
            <button type="button" className="button" onClick={() => void list.fetchNextPage()}>
              Later turns
            </button>
          </div>
        )}
      </div>
    </main>
  );
}

function Totals({ turns }: { turns: readonly TraceInfo[] }): ReactNode {
  const tokens = turns.reduce((sum, turn) => sum + (turn.token_usage?.total_tokens ?? 0), 0);
  const usd = turns.reduce((sum, turn) => sum + (turn.cost?.total_cost ?? 0), 0);
  const failed = turns.filter((turn) => turn.state === "ERROR").length;
  return (
    <p className="session-totals">
      {failed > 0 && <span className="badge error">{plural(failed, "failed turn")}</span>}
      <span>{plural(turns.length, "turn")}</span>
      <span>{formatCount(tokens)} tokens</span>
      <span>{formatCost(usd)}</span>
      {turns[0]?.user && <span>{turns[0].user}</span>}
    </p>
  );
}

function Gap({ before, turn }: { before: TraceInfo | undefined; turn: TraceInfo }): ReactNode {
  if (!before) return null;
  const endedMs = Date.parse(before.request_time) + (before.execution_duration_ms ?? 0);
  const gapMs = Date.parse(turn.request_time) - endedMs;
  if (gapMs < LONG_GAP_MS) return null;
  return <li className="session-gap">{formatDuration(gapMs)} later</li>;
}

function Turn({ turn, number }: { turn: TraceInfo; number: number }): ReactNode {
  const answer = readPreview(turn.response_preview);
  return (
    <li className="session-turn" data-testid="session-turn">
      <div className="session-said user">
        <User size={15} aria-label="User" />
        <p>{readPreview(turn.request_preview) || "–"}</p>
      </div>
      <div className="session-said assistant">
        <Bot size={15} aria-label="Assistant" />
        <p>{answer || <i>{turn.state === "IN_PROGRESS" ? "No answer yet" : "No answer recorded"}</i>}</p>
      </div>
      <footer>
        <span>
          #{number} <Time iso={turn.request_time} />
        </span>
        <StatusBadge state={turn.state} errorCount={turn.error_count} />
        <span>{formatDuration(turn.execution_duration_ms)}</span>
        <span>{formatCount(turn.token_usage?.total_tokens)} tokens</span>
        <span>{formatCost(turn.cost?.total_cost)}</span>
        <FeedbackChips assessments={turn.assessments} limit={2} />
        <span className="spacer" />
        <Link
          to="/p/$experimentId/t/$traceId"
          params={{ experimentId: turn.experiment_id, traceId: turn.trace_id }}
          className="button small"
        >
          <ListTree size={13} aria-hidden /> Open trace
        </Link>
      </footer>
    </li>
  );
}
