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
import { useEventStream } from "@/shared/event-stream";
import { searchTraces } from "@/shared/api/search-traces";
import type { TraceInfo, TracePage } from "@/shared/api/types";
import { type Scope, timeFilter } from "@/shared/query/scope";
import { mergeHead, prepend } from "./live-merge";

const PAGE_ROWS = 100;
const HEAD_ROWS = 50;

/** Later pages keep the bounds of the first: a relative range must not move between them. */
type Cursor = { filter: string | null; token: string } | null;
type ListPage = TracePage & { filter: string | null };

export type TracesKey = Scope;

export function tracesQuery(key: TracesKey) {
  return infiniteQueryOptions({
    queryKey: ["traces", key],
    initialPageParam: null as Cursor,
    queryFn: async ({ pageParam, signal }): Promise<ListPage> => {
      const filter = pageParam ? pageParam.filter : timeFilter(key.range, Date.now());
      const page = await searchTraces(
        {
          experimentId: key.experimentId,
          q: key.q,
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
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.traces) ?? [], [list.data]);
  const isReady = live && list.isSuccess && !list.isPlaceholderData;
  const address = useMemo(() => (isReady ? streamAddress(key) : null), [isReady, key]);
  const stream = useEventStream(address, {
    // What came between the list and the stream is in neither of them.
    open: () => void readHead(cache, key, isAtTop),
    traces: (data) => absorb(cache, key, (data as TracePage).traces, isAtTop()),
    behind: () => void readHead(cache, key, isAtTop),
  });
  const showWaiting = (): void => {
    if (waiting.gap) void cache.resetQueries({ queryKey: tracesQuery(key).queryKey });
    else release(cache, key, waiting.traces);
    cache.setQueryData(waitingQuery(key).queryKey, NONE_WAITING);
  };
  return { list, rows, waiting, showWaiting, isBehind: isReady && stream === "away" };
}

function streamAddress(key: TracesKey): string {
  const filter = timeFilter(key.range, Date.now());
  const asked = { experiment_id: key.experimentId, ...(key.q ? { q: key.q } : {}), ...(filter ? { filter } : {}) };
  return `/api/v1/traces/stream?${new URLSearchParams(asked)}`;
}

async function readHead(cache: QueryClient, key: TracesKey, isAtTop: () => boolean): Promise<void> {
  const filter = timeFilter(key.range, Date.now());
  const search = { experimentId: key.experimentId, q: key.q, filter, maxResults: HEAD_ROWS };
  try {
    const { traces } = await searchTraces(search, new AbortController().signal);
    absorb(cache, key, traces, isAtTop(), traces.length === HEAD_ROWS);
  } catch {
    // The stream opens again where the server was away, and reads the head then.
  }
}

/** Takes in traces that came or changed: known rows at once, new ones in front or among those that wait.

`mayMiss` says that all of them being new means that there are more. */
export function absorb(
  cache: QueryClient,
  key: TracesKey,
  told: readonly TraceInfo[],
  atTop: boolean,
  mayMiss = false,
): void {
  const known = cache.getQueryData(tracesQuery(key).queryKey);
  if (!known) return;
  const { pages, fresh } = mergeHead(known.pages, told);
  if (pages !== known.pages) cache.setQueryData(tracesQuery(key).queryKey, { ...known, pages });

  const before = cache.getQueryData(waitingQuery(key).queryKey) ?? NONE_WAITING;
  const ids = new Set(fresh.map((trace) => trace.trace_id));
  const traces = [...fresh, ...before.traces.filter((trace) => !ids.has(trace.trace_id))];
  const empty = pages.every((page) => page.traces.length === 0);
  const gap = before.gap || (mayMiss && fresh.length === told.length && !empty);
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
