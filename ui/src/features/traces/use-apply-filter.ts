// Asks the server before the address changes: a refused filter leaves the list as it was.
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { ApiError } from "@/shared/api/client";
import { type FilterError, toFilterError } from "@/shared/query/filter-bar";
import type { TracesSearch } from "./traces-search";
import { type TracesKey, tracesQuery } from "./use-traces";

type ApplyFilter = { apply: (typed: string) => void; busy: boolean; error: FilterError | null };

export function useApplyFilter(
  key: TracesKey,
  change: (next: TracesSearch) => void,
  listError: Error | null,
): ApplyFilter {
  const cache = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ key: TracesKey; error: FilterError } | null>(null);
  const latest = useRef(0);

  const tryOut = async (typed: string): Promise<void> => {
    const next = { ...key, q: typed || undefined };
    latest.current += 1;
    const own = latest.current;
    setBusy(true);
    try {
      await cache.fetchInfiniteQuery({ ...tracesQuery(next), staleTime: 0, retry: false });
      if (own !== latest.current) return;
      setRefused(null);
      change({ q: next.q });
    } catch (error) {
      if (own !== latest.current) return;
      if (isRefusal(error)) setRefused({ key, error: toFilterError(error) });
      else change({ q: next.q }); // the list shows what is wrong, and tries again
    } finally {
      if (own === latest.current) setBusy(false);
    }
  };
  const ownError = listError && isRefusal(listError) && key.q ? toFilterError(listError) : null;
  return { apply: (typed) => void tryOut(typed), busy, error: refused?.key === key ? refused.error : ownError };
}

function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 400;
}
