// Times cut into equal pieces: how long a piece is, and where each begins.
const SIZES_S = [
  1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000,
];

export type Buckets = { sizeMs: number; starts: readonly number[] };

/** At most `most` pieces that hold the span of time; they begin at whole multiples of their size. */
export function cutInto(fromMs: number, untilMs: number, most: number): Buckets {
  const span = Math.max(untilMs - fromMs, 1);
  const last = SIZES_S[SIZES_S.length - 1] ?? 1;
  const seconds = SIZES_S.find((size) => span / (size * 1000) <= most - 1) ?? last * Math.ceil(span / (last * 1000 * most));
  const sizeMs = seconds * 1000;
  const first = Math.floor(fromMs / sizeMs) * sizeMs;
  const count = Math.max(1, Math.min(Math.ceil((untilMs - first) / sizeMs), most));
  return { sizeMs, starts: Array.from({ length: count }, (_, at) => first + at * sizeMs) };
}

/** The text of a range from the beginning of one piece to the end of another. */
export function writeRange(fromMs: number, untilMs: number): string {
  return `${writeMoment(fromMs)}..${writeMoment(untilMs)}`;
}

function writeMoment(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
