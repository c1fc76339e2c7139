// Places on the time axis. Times are nanoseconds since 1970, places are fractions of the width.
import type { SpanHead } from "@/shared/api/types";

export type TimeWindow = { fromNs: number; untilNs: number };
const DAY_MS = 86_400_000;
const CLOCK_STEPS_MS = [0.5, 1, 2, 5, 10, 30, 60, 120, 360, 720, 1440].map((minutes) => minutes * 60_000);

export type Bar = { left: number; width: number };

/** From the first start to the last end; a span that still runs reaches to `nowNs`. */
export function findWindow(spans: readonly SpanHead[], nowNs: number): TimeWindow {
  let fromNs = Number.POSITIVE_INFINITY;
  let untilNs = Number.NEGATIVE_INFINITY;
  for (const span of spans) {
    fromNs = Math.min(fromNs, span.start_time_unix_nano);
    untilNs = Math.max(untilNs, span.end_time_unix_nano ?? nowNs, span.start_time_unix_nano);
  }
  return fromNs <= untilNs ? { fromNs, untilNs } : { fromNs: 0, untilNs: 1 };
}

/** The part of a span inside the window; null when it is wholly outside. */
export function placeBar(span: SpanHead, window: TimeWindow, nowNs: number): Bar | null {
  const lengthNs = Math.max(window.untilNs - window.fromNs, 1);
  const left = (span.start_time_unix_nano - window.fromNs) / lengthNs;
  const right = ((span.end_time_unix_nano ?? nowNs) - window.fromNs) / lengthNs;
  if (right < 0 || left > 1) return null;
  const clippedLeft = Math.max(0, left);
  return { left: clippedLeft, width: Math.max(0, Math.min(1, right) - clippedLeft) };
}

/** Round times for the ruler, in milliseconds from the start of the trace. */
export function findTicks(window: TimeWindow, traceFromNs: number, most: number): number[] {
  const fromMs = (window.fromNs - traceFromNs) / 1e6;
  const untilMs = (window.untilNs - traceFromNs) / 1e6;
  const rough = Math.max((untilMs - fromMs) / most, 1e-6);
  const step = roundUp(rough);
  const ticks: number[] = [];
  for (let at = Math.ceil(fromMs / step); at * step < untilMs && ticks.length <= most; at += 1) {
    ticks.push(at * step);
  }
  return ticks;
}

/** To 1, 2 or 5 times a power of ten; from half a minute on, to what clocks count in. */
function roundUp(ms: number): number {
  if (ms > 20_000) return CLOCK_STEPS_MS.find((step) => step >= ms) ?? Math.ceil(ms / DAY_MS) * DAY_MS;
  const power = 10 ** Math.floor(Math.log10(ms));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= ms) ?? 10);
}

export function durationMs(span: SpanHead, nowNs: number): number {
  return Math.max(0, ((span.end_time_unix_nano ?? nowNs) - span.start_time_unix_nano) / 1e6);
}
