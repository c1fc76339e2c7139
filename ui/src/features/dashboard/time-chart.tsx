// Lines or stacked bars over time on a canvas, with a crosshair that all charts of a page share.
// Colours are read from the page when it is made: another theme needs another one.
import { type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatUnit, type Series, type Unit } from "./charts";
import { stack } from "./stack";

const HEIGHT = 150;
const CROSSHAIR = "dashboard";

type Props = {
  title: string;
  times: readonly number[];
  sizeMs: number;
  series: readonly Series[];
  unit: Unit;
  kind: "bars" | "lines";
  onHover: (at: number | null) => void;
  onBrush: (fromMs: number, untilMs: number) => void;
};

export function TimeChart({ title, times, sizeMs, series, unit, kind, onHover, onBrush }: Props): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const handlers = useRef({ onHover, onBrush });
  useEffect(() => {
    handlers.current = { onHover, onBrush };
  });
  useEffect(() => {
    const target = box.current;
    if (!target || width === 0) return;
    const plot = new uPlot(
      writeOptions(width, series, unit, kind, sizeMs, handlers),
      writeData(times, series, kind),
      target,
    );
    return () => plot.destroy();
  }, [times, series, unit, kind, sizeMs, width]);
  return <div ref={box} className="chart-plot" role="img" aria-label={`${title} over time`} style={{ height: HEIGHT }} />;
}

type Handlers = Pick<Props, "onHover" | "onBrush">;

function writeOptions(
  width: number,
  series: readonly Series[],
  unit: Unit,
  kind: Props["kind"],
  sizeMs: number,
  handlers: RefObject<Handlers>,
): uPlot.Options {
  const grid = { stroke: readColor("--border"), width: 1 };
  const axis = { stroke: readColor("--text-3"), grid, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width,
    height: HEIGHT,
    padding: [6, 26, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: CROSSHAIR, filters: { sub: isMove } }, drag: { x: true, y: false, setScale: false }, points: { show: kind === "lines" } },
    scales: { x: { time: true, range: (_plot, from, until) => [from, until + sizeMs / 1000] }, y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.08 : 1] } },
    axes: [
      { ...axis, size: 24, space: 84, values: (_plot, splits) => splits.map((at) => formatTick(at * 1000, sizeMs)) },
      { ...axis, size: 58, values: (_plot, splits) => splits.map((value) => formatUnit(unit, value)) },
    ],
    series: [{}, ...series.map((one) => writeSeries(one, kind))],
    hooks: {
      setCursor: [(plot) => handlers.current.onHover(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const from = plot.posToVal(plot.select.left, "x") * 1000;
          const until = plot.posToVal(plot.select.left + plot.select.width, "x") * 1000;
          handlers.current.onBrush(Math.floor(from / sizeMs) * sizeMs, Math.ceil(until / sizeMs) * sizeMs);
        },
      ],
    },
  };
}

/** The other charts follow the crosshair; a drag is told by the one it was made in. */
function isMove(type: string): boolean {
  return type !== "mousedown" && type !== "mouseup";
}

function writeSeries({ label, color }: Series, kind: Props["kind"]): uPlot.Series {
  const stroke = readColor(color);
  if (kind === "lines") return { label, stroke, width: 1.5, points: { show: false }, spanGaps: false };
  const paths = uPlot.paths.bars?.({ size: [0.86, 60], align: 1 });
  return { label, stroke, fill: stroke, width: 0, points: { show: false }, ...(paths ? { paths } : {}) };
}

function writeData(times: readonly number[], series: readonly Series[], kind: Props["kind"]): uPlot.AlignedData {
  const values = kind === "bars" ? stack(series) : series.map((one) => one.values);
  return [times.map((ms) => ms / 1000), ...values];
}

/** As short as the pieces of time allow. */
function formatTick(ms: number, sizeMs: number): string {
  const time = new Date(ms);
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  if (sizeMs < 60_000) return time.toLocaleTimeString("en", { ...clock, second: "2-digit" });
  if (sizeMs < 3_600_000) return time.toLocaleTimeString("en", clock);
  const day = time.toLocaleDateString("en", { month: "short", day: "numeric" });
  return sizeMs < 21_600_000 ? `${day} ${time.toLocaleTimeString("en", clock)}` : day;
}

function readColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function useWidth(box: RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const target = box.current;
    if (!target) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(target);
    return () => observer.disconnect();
  }, [box]);
  return width;
}
