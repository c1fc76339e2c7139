// Nothing matches: which condition to take away, with how many traces that would show.
import { useQueries } from "@tanstack/react-query";
import { SearchX } from "lucide-react";
import type { ReactNode } from "react";
import { api, unwrap } from "@/shared/api/client";
import { EmptyState } from "@/shared/components/states";
import { plural } from "@/shared/format";
import { type Scope, scopeBody } from "@/shared/query/scope";
import type { ScopeSearch } from "@/shared/query/scope-search";
import { isPlain, splitTerms } from "@/shared/query/terms";

const MOST_WAYS = 6;

type Way = { label: string; next: ScopeSearch };

export function NoMatch({ scope, onChange }: { scope: Scope; onChange: (next: ScopeSearch) => void }): ReactNode {
  const ways = waysOut(scope);
  const counts = useQueries({
    queries: ways.map(({ next }) => ({
      queryKey: ["trace-count", { ...scope, ...next }],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        unwrap(api.POST("/api/v1/traces/count", { body: scopeBody({ ...scope, ...next }), signal })),
    })),
  });
  return (
    <EmptyState icon={<SearchX size={28} aria-hidden />} title="No trace matches">
      <p>Take away one of the conditions:</p>
      <div className="actions no-match">
        {ways.map(({ label, next }, at) => {
          const found = counts[at]?.data;
          return (
            <button key={label} type="button" className="button" onClick={() => onChange(next)}>
              {label}
              {found && (
                <span className="no-match-count">
                  {found.is_exact ? "" : "up to "}
                  {plural(found.count, "trace")}
                </span>
              )}
            </button>
          );
        })}
      </div>
    </EmptyState>
  );
}

/** Without each of the terms, without all of them, and in all time. */
export function waysOut({ q = "", range }: Pick<Scope, "q" | "range">): Way[] {
  const terms = splitTerms(q);
  const ways: Way[] = [];
  if (terms.length > 1 && isPlain(terms)) {
    for (const term of terms.slice(0, MOST_WAYS)) {
      const rest = terms.filter((each) => each !== term).map(({ text }) => text);
      ways.push({ label: `Without ${shorten(term.text)}`, next: { q: rest.join(" ") } });
    }
  }
  if (q) ways.push({ label: "Without the filter", next: { q: undefined } });
  if (range) ways.push({ label: "In all time", next: { range: undefined } });
  return ways;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
