// The rows of the list: pages behind a cursor, and a live head in front of them.
import {
  infiniteQueryOptions,
  keepPreviousData,
  type QueryClient,
  queryOptions,
  skipToken,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useMemo } from "react";
import { searchTraces } from "@/shared/api/search-traces";
import type { TraceInfo, TracePage } from "@/shared/api/types";
import { composeFilter } from "./filter";
import { mergeHead, prepend } from "./live-merge";
import type { TracesSearch } from "./traces-search";

const LIVE_EVERY_MS = 1_000;
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

/** New traces that wait for the reader to come back to the top. */
type Waiting = {
  traces: TraceInfo[];
  /** There may be more between them and the rows that are shown. */
  gap: boolean;
};
const NONE_WAITING: Waiting = { traces: [], gap: false };

function waitingQuery(key: TracesKey) {
  return queryOptions<Waiting>({
    queryKey: ["traces-waiting", key],
    queryFn: skipToken,
    initialData: NONE_WAITING,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** `isAtTop` says whether new rows may come in without moving what is being read. */
export function useTraces(key: TracesKey, live: boolean, isAtTop: () => boolean) {
  const cache = useQueryClient();
  const list = useInfiniteQuery({ ...tracesQuery(key), placeholderData: keepPreviousData });
  const { data: waiting = NONE_WAITING } = useQuery(waitingQuery(key));
  const head = useQuery({
    queryKey: ["traces-head", key],
    queryFn: async ({ signal }) => {
      const filter = composeFilter(key, Date.now()).text;
      const search = { experimentId: key.experimentId, filter, maxResults: HEAD_ROWS };
      absorbHead(cache, key, (await searchTraces(search, signal)).traces, isAtTop());
      return Date.now();
    },
    enabled: live && list.isSuccess && !list.isPlaceholderData,
    refetchInterval: LIVE_EVERY_MS,
    gcTime: 0,
    retry: false,
  });
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.traces) ?? [], [list.data]);
  const showWaiting = (): void => {
    if (waiting.gap) void cache.resetQueries({ queryKey: tracesQuery(key).queryKey });
    else release(cache, key, waiting.traces);
    cache.setQueryData(waitingQuery(key).queryKey, NONE_WAITING);
  };
  return { list, rows, waiting, showWaiting, liveError: live ? head.error : null };
}

/** Takes in the newest page: changed rows at once, new ones in front or among those that wait. */
export function absorbHead(
  cache: QueryClient,
  key: TracesKey,
  head: readonly TraceInfo[],
  atTop: boolean,
): void {
  const known = cache.getQueryData(tracesQuery(key).queryKey);
  if (!known) return;
  const { pages, fresh } = mergeHead(known.pages, head);
  if (pages !== known.pages) cache.setQueryData(tracesQuery(key).queryKey, { ...known, pages });

  const before = cache.getQueryData(waitingQuery(key).queryKey) ?? NONE_WAITING;
  const ids = new Set(fresh.map((trace) => trace.trace_id));
  const traces = [...fresh, ...before.traces.filter((trace) => !ids.has(trace.trace_id))];
  const empty = pages.every((page) => page.traces.length === 0);
  const gap = before.gap || (fresh.length === HEAD_ROWS && !empty);
  if (traces.length === 0) return;
  if (atTop && !gap) release(cache, key, traces);
  cache.setQueryData(waitingQuery(key).queryKey, atTop && !gap ? NONE_WAITING : { traces, gap });
}

function release(cache: QueryClient, key: TracesKey, traces: readonly TraceInfo[]): void {
  cache.setQueryData(
    tracesQuery(key).queryKey,
    (data) => data && { ...data, pages: prepend(data.pages, traces) },
  );
}
