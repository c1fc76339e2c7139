// Bars over time above the list; a drag over some of them narrows the list to their time.
import { useQuery } from "@tanstack/react-query";
import { type PointerEvent, type ReactNode, useState } from "react";
import { formatCount, plural } from "@/shared/format";
import { writeRange } from "@/shared/query/buckets";
import type { Scope } from "@/shared/query/scope";
import { type Bar, histogramQuery } from "./histogram-data";
import "./histogram.css";

const HEIGHT = 44;
const EVERY_MS = 5_000;
const PARTS = ["failed", "errors", "running", "ok"] as const;

type Props = { scope: Scope; live: boolean; onRange: (range: string) => void };

export function TraceHistogram({ scope, live, onRange }: Props): ReactNode {
  const { data } = useQuery({ ...histogramQuery(scope), refetchInterval: live ? EVERY_MS : false });
  const [brush, setBrush] = useState<{ from: number; to: number } | null>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const bars = data?.bars ?? [];
  const sizeMs = data?.sizeMs ?? 0;
  const most = Math.max(1, ...bars.map(countOf));

  const barAt = (event: PointerEvent<HTMLElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
    return Math.min(Math.max(at, 0), bars.length - 1);
  };
  const onUp = (event: PointerEvent<HTMLElement>): void => {
    if (!brush) return;
    const to = barAt(event);
    const [first, last] = brush.from < to ? [brush.from, to] : [to, brush.from];
    setBrush(null);
    const from = bars[first];
    const until = bars[last];
    if (from && until) onRange(writeRange(from.startMs, until.startMs + sizeMs));
  };
  const shown = hovered === null ? undefined : bars[hovered];

  return (
    <div className="histogram">
      <div
        className="histogram-bars"
        aria-hidden
        data-testid="histogram"
        onPointerDown={(event) => {
          if (bars.length === 0 || event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = barAt(event);
          setBrush({ from: at, to: at });
        }}
        onPointerMove={(event) => {
          const at = barAt(event);
          setHovered(at);
          if (brush) setBrush({ ...brush, to: at });
        }}
        onPointerUp={onUp}
        onPointerCancel={() => setBrush(null)}
        onPointerLeave={() => setHovered(null)}
      >
        {bars.map((bar, at) => (
          <span key={bar.startMs} className={isWithin(at, brush) ? "histogram-bar brushed" : "histogram-bar"}>
            {PARTS.map((part) =>
              bar[part] > 0 ? (
                <span key={part} className={part} style={{ height: heightOf(bar[part], most) }} />
              ) : null,
            )}
          </span>
        ))}
      </div>
      <div className="histogram-axis" aria-hidden>
        {shown ? (
          <span className="histogram-told">
            {formatMoment(shown.startMs, sizeMs)}: {plural(countOf(shown), "trace")}
            {shown.failed > 0 && <span className="failed"> · {formatCount(shown.failed)} failed</span>}
            {shown.errors > 0 && <span className="errors"> · {formatCount(shown.errors)} with errors</span>}
          </span>
        ) : (
          <>
            <span>{bars[0] && formatMoment(bars[0].startMs, sizeMs)}</span>
            <span>{bars.length > 1 && formatMoment((bars.at(-1)?.startMs ?? 0) + sizeMs, sizeMs)}</span>
          </>
        )}
      </div>
      <HistogramTable bars={bars} sizeMs={sizeMs} />
    </div>
  );
}

function HistogramTable({ bars, sizeMs }: { bars: readonly Bar[]; sizeMs: number }): ReactNode {
  return (
    <table className="visually-hidden">
      <caption>Traces over time</caption>
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">OK</th>
          <th scope="col">With errors</th>
          <th scope="col">Failed</th>
          <th scope="col">Running</th>
        </tr>
      </thead>
      <tbody>
        {bars.filter((bar) => countOf(bar) > 0).map((bar) => (
          <tr key={bar.startMs}>
            <th scope="row">{formatMoment(bar.startMs, sizeMs)}</th>
            <td>{bar.ok}</td>
            <td>{bar.errors}</td>
            <td>{bar.failed}</td>
            <td>{bar.running}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function countOf(bar: Bar): number {
  return bar.ok + bar.errors + bar.failed + bar.running;
}

/** A single trace among thousands is still seen. */
function heightOf(count: number, most: number): number {
  return Math.max(2, Math.round((count / most) * HEIGHT));
}

function isWithin(at: number, brush: { from: number; to: number } | null): boolean {
  return brush !== null && at >= Math.min(brush.from, brush.to) && at <= Math.max(brush.from, brush.to);
}

function formatMoment(ms: number, sizeMs: number): string {
  const time = new Date(ms);
  // Days, and what is longer, begin at midnight of UTC.
  if (sizeMs >= 86_400_000) return time.toLocaleDateString("en", { dateStyle: "medium", timeZone: "UTC" });
  const day = time.toLocaleDateString("en", { month: "short", day: "numeric" });
  const seconds = sizeMs < 60_000 ? { second: "2-digit" as const } : {};
  const clock = time.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...seconds });
  return `${day} ${clock}`;
}
