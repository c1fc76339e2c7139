import { describe, expect, it } from "vitest";
import { absorb, tracesQuery } from "@/features/traces/use-traces";
import { mergeHead, prepend } from "@/features/traces/live-merge";
import { createQueryClient } from "@/shared/api/query-client";
import { makeTrace } from "./traces";

const old = makeTrace("old", { request_time: "2026-11-24T07:00:00Z" });
const running = makeTrace("running", { state: "IN_PROGRESS", request_time: "2026-11-24T07:01:00Z" });
const fresh = makeTrace("fresh", { request_time: "2026-11-24T07:02:00Z" });

const pageOf = (...traces: ReturnType<typeof makeTrace>[]) => ({ traces, next_page_token: null as string | null });

describe("mergeHead", () => {
  it("keeps identity when nothing changed", () => {
    const pages = [pageOf(running, old)];
    expect(mergeHead(pages, [{ ...running }, { ...old }])).toEqual({ pages, fresh: [] });
    expect(mergeHead(pages, [{ ...running }]).pages).toBe(pages);
  });

  it("replaces changed rows in place and gives back new ones", () => {
    const done = { ...running, state: "OK" as const };
    const { pages, fresh: added } = mergeHead([pageOf(running), pageOf(old)], [fresh, done]);
    expect(pages.map((page) => page.traces)).toEqual([[done], [old]]);
    expect(added).toEqual([fresh]);
  });

  it("leaves what belongs to a page that is not loaded", () => {
    const first = { ...pageOf(fresh, running), next_page_token: "more" };
    expect(mergeHead([first], [old]).fresh).toEqual([]);
    expect(mergeHead([pageOf(fresh, running)], [old]).fresh).toEqual([old]);
  });
});

describe("prepend", () => {
  it("puts each trace once, newest first", () => {
    const [first] = prepend([pageOf(running, old)], [old, fresh]);
    expect(first?.traces.map((trace) => trace.trace_id)).toEqual(["fresh", "running", "old"]);
  });
});

describe("absorb", () => {
  const key = { experimentId: "1", q: undefined, range: undefined };
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
    absorb(cache, key, [fresh, old], true);
    expect(shown()).toEqual(["fresh", "old"]);
  });

  it("holds them while the reader is elsewhere, and brings them all later", () => {
    const { cache, shown } = start();
    absorb(cache, key, [running, old], false);
    expect(shown()).toEqual(["old"]);
    absorb(cache, key, [fresh], true);
    expect(shown()).toEqual(["fresh", "running", "old"]);
  });

  it("says that there is a gap after a burst", () => {
    const { cache, shown } = start();
    const burst = Array.from({ length: 50 }, (_, index) => makeTrace(`burst-${index}`));
    absorb(cache, key, burst, true, true);
    expect(shown()).toEqual(["old"]);
    expect(cache.getQueryData(["traces-waiting", key])).toMatchObject({ gap: true });
  });
});
