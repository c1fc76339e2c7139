import { describe, expect, it } from "vitest";
import { absorbHead, tracesQuery } from "@/features/traces/use-traces";
import { mergeHead, prepend } from "@/features/traces/live-merge";
import { createQueryClient } from "@/shared/api/query-client";
import { makeTrace } from "./traces";

const old = makeTrace("old", { request_time: "2026-11-24T07:00:00Z" });
const running = makeTrace("running", { state: "IN_PROGRESS", request_time: "2026-11-24T07:01:00Z" });
const fresh = makeTrace("fresh", { request_time: "2026-11-24T07:02:00Z" });

describe("mergeHead", () => {
  it("keeps identity when nothing changed", () => {
    const pages = [{ traces: [running, old] }];
    expect(mergeHead(pages, [{ ...running }, { ...old }])).toEqual({ pages, fresh: [] });
    expect(mergeHead(pages, [{ ...running }]).pages).toBe(pages);
  });

  it("replaces changed rows in place and gives back new ones", () => {
    const done = { ...running, state: "OK" as const };
    const { pages, fresh: added } = mergeHead([{ traces: [running] }, { traces: [old] }], [fresh, done]);
    expect(pages.map((page) => page.traces)).toEqual([[done], [old]]);
    expect(added).toEqual([fresh]);
  });
});

describe("prepend", () => {
  it("puts each trace once, newest first", () => {
    const [page] = prepend([{ traces: [running, old] }], [old, fresh]);
    expect(page?.traces.map((trace) => trace.trace_id)).toEqual(["fresh", "running", "old"]);
  });
});

describe("absorbHead", () => {
  const key = { experimentId: "1", q: undefined, range: undefined, status: undefined };
  const start = () => {
    const cache = createQueryClient();
    const page = { traces: [old], next_page_token: null, filter: null };
    cache.setQueryData(tracesQuery(key).queryKey, { pages: [page], pageParams: [null] });
    const shown = () =>
      cache.getQueryData(tracesQuery(key).queryKey)?.pages.flatMap((one) => one.traces.map((t) => t.trace_id));
    return { cache, shown };
  };

  it("shows new traces at once when the reader is at the top", () => {
    const { cache, shown } = start();
    absorbHead(cache, key, [fresh, old], true);
    expect(shown()).toEqual(["fresh", "old"]);
  });

  it("holds them while the reader is elsewhere, and brings them all later", () => {
    const { cache, shown } = start();
    absorbHead(cache, key, [running, old], false);
    expect(shown()).toEqual(["old"]);
    absorbHead(cache, key, [fresh], true);
    expect(shown()).toEqual(["fresh", "running", "old"]);
  });

  it("says that there is a gap after a burst", () => {
    const { cache, shown } = start();
    const burst = Array.from({ length: 50 }, (_, index) => makeTrace(`burst-${index}`));
    absorbHead(cache, key, burst, true);
    expect(shown()).toEqual(["old"]);
    expect(cache.getQueryData(["traces-waiting", key])).toMatchObject({ gap: true });
  });
});
