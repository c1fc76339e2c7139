// The head of a page inside of an experiment: where it is, what it is, what belongs to all of it.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

type Props = { experimentId: string; experimentName: string; title: string; children?: ReactNode };

export function PageHead({ experimentId, experimentName, title, children }: Props): ReactNode {
  return (
    <div className="page-head">
      <nav className="crumbs" aria-label="Where you are">
        <Link to="/">Experiments</Link>
        <span aria-hidden>/</span>
        <Link to="/p/$experimentId/traces" params={{ experimentId }} className="truncate">
          {experimentName}
        </Link>
        <span aria-hidden>/</span>
      </nav>
      <h1>{title}</h1>
      {children}
    </div>
  );
}
