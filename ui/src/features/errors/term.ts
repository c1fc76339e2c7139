/** The term that finds the traces of a group. */
export function termOf(pattern: string): string {
  return `error:/${pattern.replaceAll("/", String.raw`\/`)}/`;
}
