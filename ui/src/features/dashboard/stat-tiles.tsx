import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { formatCost, formatCount, formatDuration, formatShare } from "@/shared/format";
import type { Scope, ScopeBody } from "@/shared/query/scope";
import { ToTraces } from "@/shared/query/to-traces";
import { totalsQuery } from "./totals";

export function StatTiles({ scope, body }: { scope: Scope; body: ScopeBody }): ReactNode {
  const { data: totals } = useQuery(totalsQuery(body));
  if (!totals) return <div className="tiles" aria-busy />;
  const { traces, failed, withErrors, users, p50, p95, cost, tokens } = totals;
  const search = { ...(scope.q ? { q: scope.q } : {}), ...(scope.range ? { range: scope.range } : {}) };
  return (
    <dl className="tiles">
      <Tile label="Traces">
        <ToTraces scope={scope}>{formatCount(traces)}</ToTraces>
      </Tile>
      <Tile label="Failed" note={formatShare(failed, traces)} tone={failed > 0 ? "error" : undefined}>
        <ToTraces scope={scope} term="failed">
          {formatCount(failed)}
        </ToTraces>
      </Tile>
      <Tile label="With errors" note={formatShare(withErrors, traces)} tone={withErrors > 0 ? "warn" : undefined}>
        <ToTraces scope={scope} term="errors">
          {formatCount(withErrors)}
        </ToTraces>
      </Tile>
      <Tile label="Latency p50" note={`p95 ${formatDuration(p95)}`}>
        {formatDuration(p50)}
      </Tile>
      <Tile label="Cost" note={cost !== null && traces > 0 ? `${formatCost(cost / traces)} a trace` : undefined}>
        {formatCost(cost)}
      </Tile>
      <Tile label="Tokens">{formatCount(tokens)}</Tile>
      <Tile label="Users">
        <Link to="/p/$experimentId/users" params={{ experimentId: scope.experimentId }} search={search}>
          {formatCount(users)}
        </Link>
      </Tile>
    </dl>
  );
}

type TileProps = { label: string; note?: string | undefined; tone?: string | undefined; children: ReactNode };

function Tile({ label, note, tone, children }: TileProps): ReactNode {
  return (
    <div className={tone ? `tile ${tone}` : "tile"} data-testid={`tile-${label}`}>
      <dt>{label}</dt>
      <dd>
        {children} {note && <span className="tile-note">{note}</span>}
      </dd>
    </div>
  );
}
