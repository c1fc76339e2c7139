// What is known of the whole trace, in one strip above its spans.
import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import type { ReactNode } from "react";
import type { TraceInfo } from "@/shared/api/types";
import { CopyButton } from "@/shared/components/copy-button";
import { FeedbackChips } from "@/shared/components/feedback-chips";
import { StatusBadge } from "@/shared/components/status-badge";
import { Time } from "@/shared/components/time";
import { formatCost, formatCount, formatDuration } from "@/shared/format";
import { writeTerm } from "@/shared/query/terms";

type Props = { trace: TraceInfo; experimentName: string; onBack: () => void; actions: ReactNode };

export function TraceHeader({ trace, experimentName, onBack, actions }: Props): ReactNode {
  const params = { experimentId: trace.experiment_id };
  return (
    <header className="trace-head">
      <div className="trace-title">
        <button type="button" className="button icon quiet" aria-label="Back to the list" title="Back (Esc)" onClick={onBack}>
          <ArrowLeft size={16} aria-hidden />
        </button>
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/p/$experimentId/traces" params={params} className="truncate">
            {experimentName}
          </Link>
          <span aria-hidden>/</span>
        </nav>
        <h1 className="truncate">{trace.name ?? "Trace"}</h1>
        <StatusBadge state={trace.state} errorCount={trace.error_count} />
        <span className="trace-id mono truncate" title={trace.trace_id}>
          {trace.trace_id}
        </span>
        <CopyButton text={trace.trace_id} label="Copy the trace id" />
        <span className="spacer" />
        {actions}
      </div>
      <Facts trace={trace} />
    </header>
  );
}

function Facts({ trace }: { trace: TraceInfo }): ReactNode {
  const params = { experimentId: trace.experiment_id };
  const tokens = trace.token_usage;
  const tags = Object.entries(trace.tags).filter(([key]) => !key.startsWith("mlflow."));
  return (
    <dl className="trace-facts">
      <Fact label="Started">
        <Time iso={trace.request_time} />
      </Fact>
      <Fact label="Latency">{formatDuration(trace.execution_duration_ms)}</Fact>
      <Fact label="Tokens" title={tokens ? `${tokens.total_tokens} in all` : undefined}>
        {tokens ? (
          <>
            {formatCount(tokens.input_tokens)} <i>in</i> {formatCount(tokens.output_tokens)} <i>out</i>
            {tokens.cache_read_input_tokens ? (
              <>
                {" "}
                {formatCount(tokens.cache_read_input_tokens)} <i>cached</i>
              </>
            ) : null}
          </>
        ) : (
          "–"
        )}
      </Fact>
      <Fact label="Cost">{formatCost(trace.cost?.total_cost)}</Fact>
      <Fact label="Spans">
        {formatCount(trace.span_count)}
        {trace.error_count > 0 && <span className="trace-errors"> {trace.error_count} failed</span>}
      </Fact>
      {trace.user && (
        <Fact label="User">
          <Link to="/p/$experimentId/traces" params={params} search={{ q: writeTerm("user", trace.user) }}>
            {trace.user}
          </Link>
        </Fact>
      )}
      {trace.session_id && (
        <Fact label="Session">
          <Link
            to="/p/$experimentId/s/$sessionId"
            params={{ ...params, sessionId: trace.session_id }}
            title={trace.session_id}
          >
            {trace.session_id}
          </Link>
        </Fact>
      )}
      {trace.assessments.length > 0 && (
        <Fact label="Feedback">
          <FeedbackChips assessments={trace.assessments} limit={3} />
        </Fact>
      )}
      {tags.length > 0 && (
        <Fact label="Tags">
          <span className="trace-tags">
            {tags.slice(0, 6).map(([key, value]) => (
              <Link
                key={key}
                to="/p/$experimentId/traces"
                params={params}
                search={{ q: writeTerm(`tag.${key}`, value) }}
                className="chip"
                title={`${key}: ${value}\nTraces with this tag`}
              >
                <span>
                  {key}: {value}
                </span>
              </Link>
            ))}
          </span>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ label, title, children }: {
  label: string;
  title?: string | undefined;
  children: ReactNode;
}): ReactNode {
  return (
    <div title={title}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
