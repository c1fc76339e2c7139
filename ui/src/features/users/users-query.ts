// The users of the traces that a page is about, each with numbers, and their traces over time.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import { cutInto } from "@/shared/query/buckets";
import { queryMetric } from "@/shared/query/metrics";
import { type Scope, scopeBody } from "@/shared/query/scope";
import { addTerm, writeValue } from "@/shared/query/terms";
import { readSort, USER_SORTS, type UserSort, type UsersSearch } from "./users-search";

const MOST_USERS = 200;
const SPARK_BARS = 24;
const SPARK_USERS = 60;

const MEASURES: Record<UserSort, { metric: string; aggregation: string }> = {
  cost: { metric: "total_cost", aggregation: "SUM" },
  traces: { metric: "trace_count", aggregation: "COUNT" },
  sessions: { metric: "session_count", aggregation: "COUNT" },
  failed: { metric: "error_count", aggregation: "COUNT" },
  latency: { metric: "latency", aggregation: "P95" },
  tokens: { metric: "total_tokens", aggregation: "SUM" },
  last: { metric: "request_time", aggregation: "MAX" },
};

export type UserRow = { user: string } & Record<UserSort, number | null>;
export type UserPage = { rows: UserRow[]; count: number };

export function usersQuery(scope: Scope, sort: UsersSearch["sort"]) {
  const { by, largestFirst } = readSort(sort);
  const columns = [by, ...USER_SORTS.filter((name) => name !== by)];
  return queryOptions({
    queryKey: ["users", scope, by, largestFirst],
    queryFn: async ({ signal }): Promise<UserPage> => {
      const known = scopeBody({ ...scope, q: addTerm(scope.q ?? "", "has:user") });
      const body = {
        ...known,
        measures: columns.map((name) => MEASURES[name]),
        dimensions: ["user"],
        max_groups: MOST_USERS,
        smallest_first: !largestFirst,
      };
      const page = await unwrap(api.POST("/api/v1/traces/groups", { body, signal }));
      const rows = page.groups.map((group) => {
        const numbers = columns.map((name, at) => [name, group.values[at] ?? null] as const);
        return { user: group.dimensions["user"] ?? "", ...Object.fromEntries(numbers) } as UserRow;
      });
      return { rows, count: page.group_count };
    },
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
}

/** Traces in each of equal pieces of time, by user. */
export function activityQuery(scope: Scope, rows: readonly UserRow[]) {
  const users = rows.slice(0, SPARK_USERS).map(({ user }) => user);
  const last = Math.max(0, ...rows.map((row) => row.last ?? 0));
  return queryOptions({
    queryKey: ["users-activity", scope, users, last],
    queryFn: async ({ signal }): Promise<Map<string, number[]>> => {
      const body = scopeBody({ ...scope, q: addTerm(scope.q ?? "", `user:${users.map(writeValue).join(",")}`) });
      const from = body.start_time_ms ?? (await firstTime(body, signal));
      const buckets = cutInto(from, (body.end_time_ms ?? last) + 1, SPARK_BARS);
      const asked = { metric: "trace_count", aggregations: ["COUNT"], dimensions: ["user"] };
      const points = await queryMetric(body, { ...asked, bucketSeconds: buckets.sizeMs / 1000 }, signal);
      const found = new Map(users.map((user) => [user, buckets.starts.map(() => 0)]));
      for (const point of points) {
        const bars = found.get(point.dimensions["user"] ?? "");
        const at = buckets.starts.indexOf(point.time_ms ?? -1);
        if (bars && at >= 0) bars[at] = point.values["COUNT"] ?? 0;
      }
      return found;
    },
    enabled: users.length > 0,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
}

async function firstTime(body: ReturnType<typeof scopeBody>, signal: AbortSignal): Promise<number> {
  const [ends] = await queryMetric(body, { metric: "request_time", aggregations: ["MIN"] }, signal);
  return ends?.values["MIN"] ?? Date.now();
}
