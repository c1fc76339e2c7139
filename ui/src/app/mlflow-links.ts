// The addresses that MLflow's clients print, as addresses of this UI.
import { writeTerm } from "@/shared/query/terms";

const PLACE = /^\/(?:ml\/)?experiments\/(\d+)(?:\/runs\/([0-9a-zA-Z]+))?/;
const TRACE_KEYS = ["selectedEvaluationId", "selectedTraceId", "traceId"];

/** Where an address of MLflow's UI leads here; null for one that is none of its. */
export function fromMlflowLink(pathname: string, search: string, hash: string): string | null {
  const isHashed = hash.startsWith("#/");
  const [path = "", query = ""] = isHashed ? hash.slice(1).split("?") : [pathname, search.slice(1)];
  if (!isHashed && !path.startsWith("/ml/")) return null;
  const match = PLACE.exec(path);
  if (!match) return isHashed || path === "/ml/experiments" ? "/" : null;
  const [, experimentId, runId] = match;
  const asked = new URLSearchParams(query);
  const traceId = TRACE_KEYS.map((key) => asked.get(key)).find((value) => value?.startsWith("tr-"));
  if (traceId) return `/p/${experimentId}/t/${traceId}`;
  const traces = `/p/${experimentId}/traces`;
  return runId ? `${traces}?${new URLSearchParams({ q: writeTerm("run", runId) })}` : traces;
}
