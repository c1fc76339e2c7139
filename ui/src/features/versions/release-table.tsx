import { Link } from "@tanstack/react-router";
import { GitCompareArrows } from "lucide-react";
import type { ReactNode } from "react";
import { Time } from "@/shared/components/time";
import { formatCost, formatCount, formatDuration, formatShare } from "@/shared/format";
import type { Scope } from "@/shared/query/scope";
import { writeTerm } from "@/shared/query/terms";
import { ToTraces } from "@/shared/query/to-traces";
import type { Release } from "./releases-query";

export function ReleaseTable({ releases, scope }: { releases: readonly Release[]; scope: Scope }): ReactNode {
  return (
    <table className="table">
      <thead>
        <tr>
          <th scope="col">Release</th>
          <th scope="col" className="number">Traces</th>
          <th scope="col" className="number">Failed</th>
          <th scope="col" className="number">p95 latency</th>
          <th scope="col" className="number">Cost</th>
          <th scope="col" className="number">First seen</th>
          <th scope="col" className="number">Last seen</th>
          <th scope="col">Compare</th>
        </tr>
      </thead>
      <tbody>
        {releases.map((release, at) => (
          <ReleaseLine key={release.name} release={release} before={releases[at + 1]} scope={scope} />
        ))}
      </tbody>
    </table>
  );
}

type LineProps = { release: Release; before: Release | undefined; scope: Scope };

function ReleaseLine({ release, before, scope }: LineProps): ReactNode {
  const own = writeTerm("release", release.name);
  return (
    <tr data-testid="release-row">
      <th scope="row">
        <ToTraces scope={scope} term={own}>
          {release.name}
        </ToTraces>
      </th>
      <td className="number">
        <ToTraces scope={scope} term={own}>
          {formatCount(release.traces)}
        </ToTraces>
      </td>
      <td className="number">
        {release.failed > 0 ? (
          <ToTraces scope={scope} term={`${own} failed`}>
            {formatCount(release.failed)}{" "}
            <span className="versions-share">{formatShare(release.failed, release.traces)}</span>
          </ToTraces>
        ) : (
          "–"
        )}
      </td>
      <td className="number">{formatDuration(release.p95)}</td>
      <td className="number">{formatCost(release.cost)}</td>
      <td className="number">
        <Time iso={new Date(release.firstMs).toISOString()} />
      </td>
      <td className="number">
        <Time iso={new Date(release.lastMs).toISOString()} />
      </td>
      <td>
        {before && (
          <Link
            to="/p/$experimentId/versions"
            params={{ experimentId: scope.experimentId }}
            search={{
              a: writeTerm("release", before.name),
              b: own,
              ...(scope.range ? { range: scope.range } : {}),
            }}
            className="button small"
          >
            <GitCompareArrows size={13} aria-hidden /> with {before.name}
          </Link>
        )}
      </td>
    </tr>
  );
}
