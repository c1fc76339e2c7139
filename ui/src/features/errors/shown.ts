// Which groups are shown, and the term that finds the traces of one.
import type { ErrorGroup, ErrorStatus } from "./errors-query";

export function termOf(pattern: string): string {
  return `error:/${pattern.replaceAll("/", String.raw`\/`)}/`;
}

export function withStatus(groups: readonly ErrorGroup[], status: ErrorStatus | "all"): ErrorGroup[] {
  return groups.filter((group) => status === "all" || group.status === status);
}
