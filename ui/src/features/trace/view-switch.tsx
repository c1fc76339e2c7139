import type { ReactNode } from "react";
import { useHotkeys } from "@/shared/hotkeys";
import type { TraceView } from "./trace-search";

const VIEWS: readonly { view: TraceView | undefined; label: string; key: string }[] = [
  { view: undefined, label: "Tree", key: "t" },
  { view: "log", label: "Log", key: "l" },
  { view: "raw", label: "Raw", key: "r" },
];

type Props = { view: TraceView | undefined; onChange: (view: TraceView | undefined) => void };

export function ViewSwitch({ view, onChange }: Props): ReactNode {
  useHotkeys(Object.fromEntries(VIEWS.map((each) => [each.key, () => onChange(each.view)])));
  return (
    <div className="trace-views" role="group" aria-label="View">
      {VIEWS.map((each) => (
        <button
          key={each.label}
          type="button"
          className="button small"
          aria-pressed={each.view === view}
          title={`${each.label} (${each.key})`}
          onClick={() => onChange(each.view)}
        >
          {each.label}
        </button>
      ))}
    </div>
  );
}
