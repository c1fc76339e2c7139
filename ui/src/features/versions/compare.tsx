// Two sets of traces side by side: every number of both, the difference, and how sure it is.
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ErrorState } from "@/shared/components/states";
import { formatCount } from "@/shared/format";
import type { Scope } from "@/shared/query/scope";
import { ToTraces } from "@/shared/query/to-traces";
import { differenceOf, type Estimate, isClear } from "@/shared/stats";
import { type Measured, sideQuery } from "./compare-query";
import { joinRows, type ComparedRow } from "./rows";
import { formatDifference, formatInterval, formatValue } from "./units";

export function Compare({ a, b }: { a: Scope; b: Scope }): ReactNode {
  const left = useQuery(sideQuery(a));
  const right = useQuery(sideQuery(b));
  const error = left.error ?? right.error;
  if (error) return <ErrorState error={error} />;
  const isOld = left.isPlaceholderData || right.isPlaceholderData;
  if (!left.data || !right.data || isOld) return <p className="versions-note">Measuring both …</p>;
  return (
    <table className="table compare" data-testid="compare">
      <thead>
        <tr>
          <th scope="col">Measure</th>
          <th scope="col" className="number" title={a.q}>
            A
          </th>
          <th scope="col" className="number" title={b.q}>
            B
          </th>
          <th scope="col" className="number">Difference</th>
          <th scope="col">95 % interval</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">Traces</th>
          <td className="number">
            <ToTraces scope={a}>{formatCount(left.data.count)}</ToTraces>
          </td>
          <td className="number">
            <ToTraces scope={b}>{formatCount(right.data.count)}</ToTraces>
          </td>
          <td />
          <td />
        </tr>
        {joinRows(left.data.rows, right.data.rows).map((row) => (
          <CompareRow key={row.id} row={row} a={a} b={b} />
        ))}
      </tbody>
    </table>
  );
}

function CompareRow({ row, a, b }: { row: ComparedRow; a: Scope; b: Scope }): ReactNode {
  const difference = row.a?.estimate && row.b?.estimate ? differenceOf(row.a.estimate, row.b.estimate) : null;
  return (
    <tr>
      <th scope="row">{row.label}</th>
      <Cell measured={row.a} scope={a} />
      <Cell measured={row.b} scope={b} />
      <td className={`number ${toneOf(row, difference)}`}>
        {difference ? formatDifference(row.unit, difference.value) : "–"}
      </td>
      <td className="compare-interval">
        {difference && formatInterval(row.unit, difference)}
        {difference && !isClear(difference) && <span className="compare-unclear"> may be chance</span>}
      </td>
    </tr>
  );
}

function Cell({ measured, scope }: { measured: Measured | undefined; scope: Scope }): ReactNode {
  if (!measured?.estimate) return <td className="number">–</td>;
  const { value } = measured.estimate;
  const told = formatValue(measured.unit, value);
  return (
    <td className="number">
      {measured.term ? (
        <ToTraces scope={scope} term={measured.term}>
          {told}
        </ToTraces>
      ) : (
        told
      )}
    </td>
  );
}

/** Worse and better only where the interval says so. */
function toneOf(row: ComparedRow, difference: Estimate | null): string {
  if (!difference || !row.worse || !isClear(difference)) return "";
  return (row.worse === "more") === difference.value > 0 ? "compare-worse" : "compare-better";
}
