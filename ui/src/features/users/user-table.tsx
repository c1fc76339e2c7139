import { ArrowDown, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";
import { Sparkline } from "@/shared/components/sparkline";
import { Time } from "@/shared/components/time";
import { formatCost, formatCount, formatDuration, formatShare } from "@/shared/format";
import type { Scope } from "@/shared/query/scope";
import { writeTerm } from "@/shared/query/terms";
import { ToTraces } from "@/shared/query/to-traces";
import type { UserRow } from "./users-query";
import { readSort, type UserSort, type UsersSearch } from "./users-search";
import "./user-table.css";

const COLUMNS: readonly { by: UserSort; label: string }[] = [
  { by: "cost", label: "Cost" },
  { by: "traces", label: "Traces" },
  { by: "failed", label: "Failed" },
  { by: "sessions", label: "Sessions" },
  { by: "tokens", label: "Tokens" },
  { by: "latency", label: "p95 latency" },
  { by: "last", label: "Last seen" },
];

type Props = {
  rows: readonly UserRow[];
  /** Of all users; more than there are rows where the list is cut. */
  count: number;
  activity: ReadonlyMap<string, readonly number[]> | undefined;
  scope: Scope;
  sort: UsersSearch["sort"];
  onSort: (column: UserSort) => void;
};

export function UserTable({ rows, count, activity, scope, sort, onSort }: Props): ReactNode {
  const { by, largestFirst } = readSort(sort);
  const Arrow = largestFirst ? ArrowDown : ArrowUp;
  return (
    <>
      <table className="table users-table">
        <thead>
          <tr>
            <th scope="col">User</th>
            {COLUMNS.map((column) => (
              <th
                key={column.by}
                scope="col"
                className="number"
                aria-sort={column.by === by ? (largestFirst ? "descending" : "ascending") : "none"}
              >
                <button type="button" className="table-sort" onClick={() => onSort(column.by)}>
                  {column.by === by && <Arrow size={12} aria-hidden />}
                  {column.label}
                </button>
              </th>
            ))}
            <th scope="col">Activity</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <UserLine key={row.user} row={row} scope={scope} activity={activity?.get(row.user)} />
          ))}
        </tbody>
      </table>
      {count > rows.length && (
        <p className="table-cut">
          {formatCount(rows.length)} of {formatCount(count)} users; a filter or another order shows the others.
        </p>
      )}
    </>
  );
}

type LineProps = { row: UserRow; scope: Scope; activity: readonly number[] | undefined };

function UserLine({ row, scope, activity }: LineProps): ReactNode {
  const own = writeTerm("user", row.user);
  return (
    <tr data-testid="user-row">
      <th scope="row" className="users-name">
        <ToTraces scope={scope} term={own} title={row.user}>
          {row.user}
        </ToTraces>
      </th>
      <td className="number">{formatCost(row.cost)}</td>
      <td className="number">
        <ToTraces scope={scope} term={own}>
          {formatCount(row.traces)}
        </ToTraces>
      </td>
      <td className="number">
        {row.failed ? (
          <ToTraces scope={scope} term={`${own} failed`} title={`${row.failed} of ${row.traces ?? 0} failed`}>
            <span className="failed">{formatCount(row.failed)}</span>{" "}
            <span className="users-share">{formatShare(row.failed, row.traces ?? 0)}</span>
          </ToTraces>
        ) : (
          "–"
        )}
      </td>
      <td className="number">{formatCount(row.sessions)}</td>
      <td className="number">{formatCount(row.tokens)}</td>
      <td className="number">{formatDuration(row.latency)}</td>
      <td className="number">{row.last === null ? "–" : <Time iso={new Date(row.last).toISOString()} />}</td>
      <td>{activity && <Sparkline values={activity} label={`Traces of ${row.user} over time`} />}</td>
    </tr>
  );
}
