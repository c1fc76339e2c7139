import { useMutation, useQueryClient } from "@tanstack/react-query";
import { BellOff, Check, RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import { Sparkline } from "@/shared/components/sparkline";
import { Time } from "@/shared/components/time";
import { formatCount } from "@/shared/format";
import type { Buckets } from "@/shared/query/buckets";
import type { Scope } from "@/shared/query/scope";
import { ToTraces } from "@/shared/query/to-traces";
import { type ErrorGroup, type ErrorStatus, setErrorStatus } from "./errors-query";
import { termOf } from "./term";

type Props = { groups: readonly ErrorGroup[]; buckets: Buckets | null; scope: Scope };

export function ErrorTable({ groups, buckets, scope }: Props): ReactNode {
  return (
    <table className="table errors-table">
      <thead>
        <tr>
          <th scope="col">Error</th>
          <th scope="col" className="number">Traces</th>
          <th scope="col" className="number">Users</th>
          <th scope="col">Activity</th>
          <th scope="col" className="number">First seen</th>
          <th scope="col" className="number">Last seen</th>
          <th scope="col">Status</th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <ErrorLine key={group.pattern} group={group} buckets={buckets} scope={scope} />
        ))}
      </tbody>
    </table>
  );
}

function ErrorLine({ group, buckets, scope }: { group: ErrorGroup; buckets: Buckets | null; scope: Scope }): ReactNode {
  const colon = group.title.indexOf(": ");
  const type = colon > 0 && !group.title.slice(0, colon).includes(" ") ? group.title.slice(0, colon) : null;
  const message = type ? group.title.slice(colon + 2) : group.title;
  return (
    <tr data-testid="error-row">
      <th scope="row" className="errors-title" title={group.title}>
        <ToTraces scope={scope} term={termOf(group.pattern)}>
          {type && <b className="errors-type">{type}</b>}
          <span className="errors-message">{message}</span>
        </ToTraces>
      </th>
      <td className="number">
        <ToTraces scope={scope} term={termOf(group.pattern)}>
          {formatCount(group.trace_count)}
        </ToTraces>
      </td>
      <td className="number">{formatCount(group.user_count)}</td>
      <td>{buckets && <Sparkline values={barsOf(group, buckets)} label={`Traces with ${group.title} over time`} />}</td>
      <td className="number">
        <Time iso={new Date(group.first_time_ms).toISOString()} />
      </td>
      <td className="number">
        <Time iso={new Date(group.last_time_ms).toISOString()} />
      </td>
      <td>
        <StatusButtons group={group} experimentId={scope.experimentId} />
      </td>
    </tr>
  );
}

const ACTIONS: Record<ErrorStatus, readonly { status: ErrorStatus; label: string; icon: typeof Check }[]> = {
  open: [
    { status: "resolved", label: "Resolve", icon: Check },
    { status: "muted", label: "Mute", icon: BellOff },
  ],
  resolved: [{ status: "open", label: "Open again", icon: RotateCcw }],
  muted: [{ status: "open", label: "Open again", icon: RotateCcw }],
};

function StatusButtons({ group, experimentId }: { group: ErrorGroup; experimentId: string }): ReactNode {
  const cache = useQueryClient();
  const change = useMutation({
    mutationFn: (status: ErrorStatus) => setErrorStatus(experimentId, group.pattern, status),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["errors"] }),
  });
  return (
    <span className="errors-status">
      {group.is_back && (
        <span className="badge warn" title="It was resolved, and came again">
          Back
        </span>
      )}
      {ACTIONS[group.status].map(({ status, label, icon: Icon }) => (
        <button
          key={status}
          type="button"
          className="button small"
          disabled={change.isPending}
          onClick={() => change.mutate(status)}
        >
          <Icon size={13} aria-hidden /> {label}
        </button>
      ))}
      {change.isError && (
        <span className="errors-failed" role="alert">
          {change.error.message}
        </span>
      )}
    </span>
  );
}

function barsOf(group: ErrorGroup, buckets: Buckets): number[] {
  const found = new Map(group.activity.map(({ time_ms, trace_count }) => [time_ms, trace_count]));
  return buckets.starts.map((startMs) => found.get(startMs) ?? 0);
}
