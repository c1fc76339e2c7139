// Every address of the UI, and what may stand in it. Pages are chunks of their own.
import {
  type ErrorComponentProps,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from "@tanstack/react-router";
import type { ReactNode } from "react";
import { parseErrorsSearch } from "@/features/errors/errors-search";
import { parseTraceSearch } from "@/features/trace/trace-search";
import { parseTracesSearch } from "@/features/traces/traces-search";
import { parseUsersSearch } from "@/features/users/users-search";
import { parseVersionsSearch } from "@/features/versions/versions-search";
import { ErrorState } from "@/shared/components/states";
import { parseScopeSearch } from "@/shared/query/scope-search";
import { NotFound } from "./not-found";
import { Shell } from "./shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const experiments = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("@/features/experiments/experiments-page")),
});

const traces = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/traces",
  validateSearch: parseTracesSearch,
  component: lazyRouteComponent(() => import("@/features/traces/traces-page")),
});

const trace = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/t/$traceId",
  validateSearch: parseTraceSearch,
  component: lazyRouteComponent(() => import("@/features/trace/trace-page")),
});

const sessions = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/sessions",
  validateSearch: parseScopeSearch,
  component: lazyRouteComponent(() => import("@/features/sessions/sessions-page")),
});

const session = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/s/$sessionId",
  component: lazyRouteComponent(() => import("@/features/sessions/session-page")),
});

const users = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/users",
  validateSearch: parseUsersSearch,
  component: lazyRouteComponent(() => import("@/features/users/users-page")),
});

const dashboard = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/dashboard",
  validateSearch: parseScopeSearch,
  component: lazyRouteComponent(() => import("@/features/dashboard/dashboard-page")),
});

const versions = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/versions",
  validateSearch: parseVersionsSearch,
  component: lazyRouteComponent(() => import("@/features/versions/versions-page")),
});

const errors = createRoute({
  getParentRoute: () => root,
  path: "/p/$experimentId/errors",
  validateSearch: parseErrorsSearch,
  component: lazyRouteComponent(() => import("@/features/errors/errors-page")),
});

const routeTree = root.addChildren([experiments, traces, trace, sessions, session, users, dashboard, errors, versions]);

function PageFailed({ error, reset }: ErrorComponentProps): ReactNode {
  return <ErrorState error={error instanceof Error ? error : new Error(String(error))} onRetry={reset} />;
}

export function createAppRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    ...(history ? { history } : {}),
    defaultPreload: "intent",
    defaultErrorComponent: PageFailed,
    defaultPendingMs: 200,
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
