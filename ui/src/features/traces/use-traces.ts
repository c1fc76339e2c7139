// The rows of the list: pages behind a cursor, and a live head in front of them.
import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { searchTraces } from "@/shared/api/search-traces";
import type { TraceInfo, TracePage } from "@/shared/api/types";
import { composeFilter } from "./filter";
import { mergeHead, prepend } from "./live-merge";
import type { TracesSearch } from "./traces-search";

const LIVE_EVERY_MS = 1_500;
const PAGE_ROWS = 100;
const HEAD_ROWS = 50;

/** Later pages keep the filter of the first: a relative range must not move between them. */
type Cursor = { filter: string | null; token: string } | null;
type ListPage = TracePage & { filter: string | null };

export type TracesKey = Pick<TracesSearch, "q" | "range" | "status"> & { experimentId: string };

export function tracesQuery(key: TracesKey) {
  return infiniteQueryOptions({
    queryKey: ["traces", key],
    initialPageParam: null as Cursor,
    queryFn: async ({ pageParam, signal }): Promise<ListPage> => {
      const filter = pageParam ? pageParam.filter : composeFilter(key, Date.now()).text;
      const page = await searchTraces(
        {
          experimentId: key.experimentId,
          filter,
          pageToken: pageParam?.token ?? null,
          maxResults: PAGE_ROWS,
        },
        signal,
      );
      return { ...page, filter };
    },
    getNextPageParam: (last: ListPage): Cursor =>
      last.next_page_token ? { filter: last.filter, token: last.next_page_token } : null,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export type TraceList = ReturnType<typeof useTraces>;

type Waiting = { listId: string; traces: TraceInfo[]; gap: boolean };
const NOTHING: Omit<Waiting, "listId"> = { traces: [], gap: false };

/** `isAtTop` says whether new rows may come in without moving what is being read. */
export function useTraces(key: TracesKey, live: boolean, isAtTop: () => boolean) {
  const cache = useQueryClient();
  const list = useInfiniteQuery({ ...tracesQuery(key), placeholderData: keepPreviousData });
  const head = useHead(key, live && list.isSuccess && !list.isPlaceholderData);

  // New traces that wait for the reader to come back to the top. Another list starts without any.
  const listId = JSON.stringify(key);
  const [held, setHeld] = useState<Waiting>({ listId, ...NOTHING });
  const waiting = held.listId === listId ? held : { listId, ...NOTHING };
  const latest = useRef({ waiting, isAtTop });
  useEffect(() => {
    latest.current = { waiting, isAtTop };
  });

  const release = useCallback(
    (pages: ListPage[], fresh: TraceInfo[]) => {
      cache.setQueryData(
        tracesQuery(key).queryKey,
        (data: InfiniteData<ListPage> | undefined) =>
          data && { ...data, pages: prepend(pages, fresh) },
      );
      if (fresh.length > 0) setHeld({ listId, ...NOTHING });
    },
    [cache, key, listId],
  );

  useEffect(() => {
    const known = cache.getQueryData(tracesQuery(key).queryKey);
    if (!head.data || !known) return;
    const { pages, fresh } = mergeHead(known.pages, head.data.traces);
    const now = latest.current;
    const held = now.waiting.traces.filter((old) => !fresh.some((t) => t.trace_id === old.trace_id));
    const all = [...fresh, ...held];
    // A whole page of strangers: there may be more between them and the rows that are here.
    const gap = now.waiting.gap || (fresh.length === HEAD_ROWS && (known.pages[0]?.traces.length ?? 0) > 0);
    if (now.isAtTop() && !gap) {
      if (pages !== known.pages || all.length > 0) release(pages, all);
      return;
    }
    if (pages !== known.pages) release(pages, []);
    if (all.length !== now.waiting.traces.length || fresh.length > 0) {
      setHeld({ listId, traces: all, gap });
    }
  }, [cache, head.data, key, listId, release]);

  const showWaiting = (): void => {
    const known = cache.getQueryData(tracesQuery(key).queryKey);
    if (waiting.gap) void cache.resetQueries({ queryKey: tracesQuery(key).queryKey });
    if (waiting.gap || !known) setHeld({ listId, ...NOTHING });
    else release(known.pages, waiting.traces);
  };

  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.traces) ?? [], [list.data]);
  return { list, rows, waiting, showWaiting, liveError: live ? head.error : null };
}

function useHead(key: TracesKey, enabled: boolean) {
  return useQuery({
    queryKey: ["traces-head", key],
    queryFn: ({ signal }) => {
      const filter = composeFilter(key, Date.now()).text;
      return searchTraces({ experimentId: key.experimentId, filter, maxResults: HEAD_ROWS }, signal);
    },
    enabled,
    refetchInterval: LIVE_EVERY_MS,
    gcTime: 0,
    retry: false,
  });
}
