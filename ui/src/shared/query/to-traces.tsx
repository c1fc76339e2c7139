import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Scope } from "./scope";
import { addTerm } from "./terms";

type Props = { scope: Scope; term?: string; title?: string; children: ReactNode };

/** The traces that a number stands for: those of the page, of which the term is true as well. */
export function ToTraces({ scope, term, title, children }: Props): ReactNode {
  const q = term ? addTerm(scope.q ?? "", term) : scope.q;
  const search = { ...(q ? { q } : {}), ...(scope.range ? { range: scope.range } : {}) };
  return (
    <Link to="/p/$experimentId/traces" params={{ experimentId: scope.experimentId }} search={search} title={title}>
      {children}
    </Link>
  );
}
