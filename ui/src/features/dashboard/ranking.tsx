// Models and tools by the traces they are in, and what went wrong most.
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { formatCost, formatCount, formatDuration } from "@/shared/format";
import { facetsQuery } from "@/shared/query/facets";
import type { Scope, ScopeBody } from "@/shared/query/scope";
import { writeTerm } from "@/shared/query/terms";
import { ToTraces } from "@/shared/query/to-traces";
import { rankQuery } from "./totals";

const MOST_ERRORS = 12;

type Props = { scope: Scope; body: ScopeBody; dimension: "model" | "tool"; title: string };

export function Ranking({ scope, body, dimension, title }: Props): ReactNode {
  const { data: rows = [], isSuccess } = useQuery(rankQuery(body, dimension));
  const most = Math.max(1, ...rows.map(({ traces }) => traces));
  return (
    <section className="chart" aria-label={title} data-testid={`ranking-${dimension}`}>
      <header className="chart-head">
        <h2>{title}</h2>
      </header>
      {isSuccess && rows.length === 0 && <p className="chart-none">Nothing to show in this time</p>}
      {rows.length > 0 && (
        <table className="table ranking">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" className="number">Traces</th>
              <th scope="col" className="number" title="Spans that failed">Failed</th>
              {dimension === "model" && <th scope="col" className="number">Cost</th>}
              <th scope="col" className="number">p95</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, traces, failedSpans, cost, p95 }) => (
              <tr key={name}>
                <th scope="row" title={name}>
                  <span className="ranking-bar" style={{ width: `${(traces / most) * 100}%` }} aria-hidden />
                  <span className="ranking-name">{name}</span>
                </th>
                <td className="number">
                  <ToTraces scope={scope} term={writeTerm(dimension, name)}>
                    {formatCount(traces)}
                  </ToTraces>
                </td>
                <td className={failedSpans > 0 ? "number ranking-failed" : "number"}>{formatCount(failedSpans)}</td>
                {dimension === "model" && <td className="number">{formatCost(cost)}</td>}
                <td className="number">{formatDuration(p95)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

export function TopErrors({ scope }: { scope: Scope }): ReactNode {
  const { data } = useQuery(facetsQuery(scope, { fields: ["error"], maxValues: MOST_ERRORS }));
  const values = data?.[0]?.values ?? [];
  return (
    <section className="chart" aria-label="Errors" data-testid="ranking-error">
      <header className="chart-head">
        <h2>Errors</h2>
      </header>
      {data && values.length === 0 && <p className="chart-none">No span failed in this time</p>}
      {values.length > 0 && (
        <table className="table ranking">
          <thead>
            <tr>
              <th scope="col">Error</th>
              <th scope="col" className="number">Traces</th>
            </tr>
          </thead>
          <tbody>
            {values.map(({ value, count }) => (
              <tr key={value}>
                <th scope="row" title={value}>
                  <span className="ranking-name">{value}</span>
                </th>
                <td className="number">
                  <ToTraces scope={scope} term={writeTerm("error", value)}>
                    {formatCount(count)}
                  </ToTraces>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
