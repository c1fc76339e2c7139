// What there is to narrow the list by, with counts. A click changes the text of the filter, nothing else.
import { useQueries, useQuery } from "@tanstack/react-query";
import { PanelLeftClose } from "lucide-react";
import { type MouseEvent, type ReactNode, useState } from "react";
import { formatCount } from "@/shared/format";
import { type Facet, keptFacetsQuery } from "@/shared/query/facets";
import type { Scope } from "@/shared/query/scope";
import { excludeValue, toggleValue } from "@/shared/query/terms";
import { chosenStatuses, readStatuses, STATUS_FACETS, toggleStatus } from "./status-facet";
import { chosenIn, RAIL_FIELDS, type RailField, withoutField } from "./rail-fields";
import "./facet-rail.css";

const SHOWN = 6;
const EVERY_MS = 10_000;

type Props = {
  scope: Scope;
  live: boolean;
  onChange: (q: string) => void;
  onClose: () => void;
};

export function FacetRail({ scope, live, onChange, onClose }: Props): ReactNode {
  const q = scope.q ?? "";
  const plain = RAIL_FIELDS.filter(({ field }) => chosenIn(q, field).chosen.length === 0);
  const narrowed = RAIL_FIELDS.filter((each) => !plain.includes(each));
  const everyMs = live ? EVERY_MS : false;
  const rest = useQuery(keptFacetsQuery(scope, plain.map(({ facet }) => facet), everyMs));
  // A field with a choice shows what else could be chosen, as if it had none.
  const own = useQueries({
    queries: narrowed.map(({ field, facet }) =>
      keptFacetsQuery({ ...scope, q: withoutField(q, field) }, [facet], everyMs),
    ),
  });
  const statuses = useQuery(keptFacetsQuery({ ...scope, q: withoutField(q, "status") }, STATUS_FACETS, everyMs));
  const facets = new Map<string, Facet>();
  for (const facet of [...(rest.data ?? []), ...own.flatMap(({ data }) => data ?? [])]) facets.set(facet.field, facet);

  return (
    <aside className="facets" aria-label="Filter by">
      <div className="facets-head">
        <h2>Filter by</h2>
        <button
          type="button"
          className="button small icon quiet"
          aria-label="Hide the facets"
          title="Hide the facets"
          onClick={onClose}
        >
          <PanelLeftClose size={15} aria-hidden />
        </button>
      </div>
      <FacetGroup title="Status">
        {readStatuses(statuses.data).map(({ word, label, count }) => (
          <FacetValue
            key={word}
            label={label}
            title={label}
            mark={word}
            count={count}
            chosen={chosenStatuses(q).includes(word)}
            excluded={false}
            onClick={() => onChange(toggleStatus(q, word))}
          />
        ))}
      </FacetGroup>
      {RAIL_FIELDS.map((each) => (
        <FieldFacet key={each.field} of={each} facet={facets.get(each.facet)} q={q} onChange={onChange} />
      ))}
    </aside>
  );
}

type FieldProps = { of: RailField; facet: Facet | undefined; q: string; onChange: (q: string) => void };

function FieldFacet({ of, facet, q, onChange }: FieldProps): ReactNode {
  const [all, setAll] = useState(false);
  const { chosen, excluded } = chosenIn(q, of.field);
  const known = facet?.values ?? [];
  const missing = [...chosen, ...excluded].filter((value) => !known.some((each) => each.value === value));
  const values = [...known, ...missing.map((value) => ({ value, count: 0 }))];
  if (values.length === 0) return null;
  const shown = all ? values : values.filter(({ value }, at) => at < SHOWN || [...chosen, ...excluded].includes(value));
  const onClick = (event: MouseEvent, value: string): void =>
    onChange(event.shiftKey && event.altKey ? excludeValue(q, of.field, value) : toggleValue(q, of.field, value));
  return (
    <FacetGroup title={of.title}>
      {shown.map(({ value, count }) => (
        <FacetValue
          key={value}
          label={value}
          title={`${value}\nShift+Alt+click excludes it`}
          count={count}
          chosen={chosen.includes(value)}
          excluded={excluded.includes(value)}
          onClick={(event) => (excluded.includes(value) ? onChange(excludeValue(q, of.field, value)) : onClick(event, value))}
        />
      ))}
      {(all || values.length > shown.length) && values.length > SHOWN && (
        <button type="button" className="facet-more" onClick={() => setAll(!all)}>
          {all ? "Fewer" : `${formatCount(values.length - shown.length)} more`}
        </button>
      )}
    </FacetGroup>
  );
}

function FacetGroup({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <section className="facet" aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

type ValueProps = {
  label: string;
  title: string;
  mark?: string;
  count: number;
  chosen: boolean;
  excluded: boolean;
  onClick: (event: MouseEvent) => void;
};

function FacetValue({ label, title, mark, count, chosen, excluded, onClick }: ValueProps): ReactNode {
  return (
    <button
      type="button"
      className={`facet-value${excluded ? " excluded" : ""}`}
      aria-pressed={chosen}
      title={title}
      data-testid="facet-value"
      onClick={onClick}
    >
      {mark && <span className={`facet-mark ${mark}`} aria-hidden />}
      <span className="truncate">
        {excluded && <span className="visually-hidden">not </span>}
        {label}
      </span>
      <span className="facet-count">{formatCount(count)}</span>
    </button>
  );
}
