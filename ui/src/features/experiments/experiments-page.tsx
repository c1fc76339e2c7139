// The first page: every experiment, newest change first as the server lists them.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { FlaskConical, Plus, Search } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import type { Experiment } from "@/shared/api/types";
import { EmptyState, ErrorState, RowSkeletons } from "@/shared/components/states";
import { useDocumentTitle } from "@/shared/document-title";
import { formatAge, plural } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { experimentsQuery } from "./api/list-experiments";
import { NewExperiment } from "./new-experiment";
import "./experiments-page.css";

export default function ExperimentsPage(): ReactNode {
  useDocumentTitle("Experiments");
  const list = useInfiniteQuery(experimentsQuery);
  const navigate = useNavigate();
  const search = useRef<HTMLInputElement>(null);
  const [words, setWords] = useState("");
  const [creating, setCreating] = useState(false);
  const [active, setActive] = useState(-1);

  const all = list.data?.pages.flatMap((page) => page.experiments) ?? [];
  const shown = all.filter((one) => one.name.toLowerCase().includes(words.trim().toLowerCase()));
  const open = (experiment: Experiment | undefined): void => {
    if (!experiment) return;
    const params = { experimentId: experiment.experiment_id };
    void navigate({ to: "/p/$experimentId/traces", params });
  };
  const step = (by: number): void => setActive(Math.min(Math.max(active + by, 0), shown.length - 1));
  useHotkeys({
    "/": () => search.current?.select(),
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => open(shown[active]),
  });

  return (
    <main className="experiments">
      <div className="experiments-column">
        <header className="experiments-head">
          <h1>Experiments</h1>
          <span className="spacer" />
          <label className="experiments-search">
            <Search size={14} aria-hidden />
            <input
              ref={search}
              type="search"
              className="input"
              placeholder="Find by name"
              aria-label="Find an experiment by name"
              value={words}
              onChange={(event) => {
                setWords(event.target.value);
                setActive(-1);
              }}
              onKeyDown={(event) => {
                if (event.key === "Enter") open(shown[Math.max(active, 0)]);
                if (event.key === "Escape") event.currentTarget.blur();
              }}
            />
          </label>
          <button type="button" className="button primary" onClick={() => setCreating(true)}>
            <Plus size={15} aria-hidden /> New experiment
          </button>
        </header>
        {creating && <NewExperiment onDone={() => setCreating(false)} />}
        <div className="experiments-card">
          {list.isPending && <RowSkeletons rows={6} rowHeightPx={52} />}
          {list.isError && <ErrorState error={list.error} onRetry={() => void list.refetch()} />}
          {list.isSuccess && shown.length === 0 && (
            <EmptyState icon={<FlaskConical size={28} aria-hidden />} title="No experiment of that name" />
          )}
          <ul aria-label="Experiments">
            {shown.map((experiment, index) => (
              <li key={experiment.experiment_id}>
                <Link
                  to="/p/$experimentId/traces"
                  params={{ experimentId: experiment.experiment_id }}
                  className={index === active ? "experiment active" : "experiment"}
                  data-testid="experiment-row"
                >
                  <span className="experiment-mark" aria-hidden>
                    <FlaskConical size={16} />
                  </span>
                  <span className="experiment-name truncate">{experiment.name}</span>
                  <Tags tags={experiment.tags} />
                  <span className="experiment-id mono">id {experiment.experiment_id}</span>
                  <span className="experiment-age">{experiment.last_update_time_ms > 0 && formatAge(experiment.last_update_time_ms)}</span>
                </Link>
              </li>
            ))}
          </ul>
        </div>
        <footer className="experiments-foot">
          {list.isSuccess && plural(all.length, "experiment")}
          {list.hasNextPage && (
            <button type="button" className="button small" onClick={() => void list.fetchNextPage()}>
              Load more
            </button>
          )}
        </footer>
      </div>
    </main>
  );
}

function Tags({ tags }: { tags: Record<string, string> }): ReactNode {
  const own = Object.entries(tags).filter(([key]) => !key.startsWith("mlflow."));
  return (
    <span className="experiment-tags">
      {own.slice(0, 3).map(([key, value]) => (
        <span key={key} className="chip">
          <span>
            {key}: {value}
          </span>
        </span>
      ))}
    </span>
  );
}
