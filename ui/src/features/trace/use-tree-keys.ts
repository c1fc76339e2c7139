// The keys of the treegrid pattern, and n / N from one failed span to the next.
import { useHotkeys } from "@/shared/hotkeys";
import type { TreeRow } from "./tree";

type Actions = {
  select: (rowId: string) => void;
  fold: (rowId: string, folded: boolean) => void;
  zoom: () => void;
};

export function useTreeKeys(rows: readonly TreeRow[], selected: TreeRow | undefined, actions: Actions): void {
  const at = selected ? rows.indexOf(selected) : -1;
  const go = (index: number): void => {
    const row = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    if (row) actions.select(row.id);
  };
  const goToFailed = (step: 1 | -1): void => {
    for (let seen = 1; seen <= rows.length; seen += 1) {
      const index = (at + step * seen + rows.length * 2) % rows.length;
      const row = rows[index];
      if (row?.kind === "span" && row.span.status === "ERROR") return actions.select(row.id);
    }
  };
  useHotkeys({
    ArrowDown: () => go(at + 1),
    ArrowUp: () => go(at - 1),
    j: () => go(at + 1),
    k: () => go(at - 1),
    Home: () => go(0),
    End: () => go(rows.length - 1),
    ArrowRight: () => {
      if (!selected?.hasChildren) return;
      if (selected.expanded) go(at + 1);
      else actions.fold(selected.id, false);
    },
    ArrowLeft: () => {
      if (!selected) return;
      if (selected.expanded) actions.fold(selected.id, true);
      else if (selected.parentId) actions.select(selected.parentId);
    },
    n: () => goToFailed(1),
    N: () => goToFailed(-1),
    z: actions.zoom,
  });
}
