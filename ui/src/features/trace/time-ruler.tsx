// The time axis above the bars. Dragging over it zooms, a double click goes back.
import { type PointerEvent, type ReactNode, useState } from "react";
import { findTicks, type TimeWindow } from "./timeline";

const SMALLEST_DRAG = 0.01;

type Props = {
  window: TimeWindow;
  traceFromNs: number;
  zoomed: boolean;
  onZoom: (window: TimeWindow | null) => void;
};

export function TimeRuler({ window, traceFromNs, zoomed, onZoom }: Props): ReactNode {
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const lengthNs = window.untilNs - window.fromNs;

  const finish = (): void => {
    setDrag(null);
    if (!drag || Math.abs(drag.to - drag.from) < SMALLEST_DRAG) return;
    onZoom({
      fromNs: window.fromNs + Math.min(drag.from, drag.to) * lengthNs,
      untilNs: window.fromNs + Math.max(drag.from, drag.to) * lengthNs,
    });
  };
  return (
    <div
      className="ruler"
      title={zoomed ? "Double click to see the whole trace" : "Drag to zoom"}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: place(event), to: place(event) });
      }}
      onPointerMove={(event) => drag && setDrag({ ...drag, to: place(event) })}
      onPointerUp={finish}
      onPointerCancel={() => setDrag(null)}
      onDoubleClick={() => onZoom(null)}
    >
      {findTicks(window, traceFromNs, 4).map((ms) => {
        const left = (ms * 1e6 + traceFromNs - window.fromNs) / lengthNs;
        return left > 0.86 ? null : (
          <span key={ms} className="tick" style={{ left: `${left * 100}%` }}>
            {formatTick(ms)}
          </span>
        );
      })}
      {drag && (
        <span
          className="ruler-drag"
          style={{
            left: `${Math.min(drag.from, drag.to) * 100}%`,
            width: `${Math.abs(drag.to - drag.from) * 100}%`,
          }}
        />
      )}
      {zoomed && (
        <button type="button" className="ruler-reset" tabIndex={-1} onClick={() => onZoom(null)}>
          Whole trace
        </button>
      )}
    </div>
  );
}

/** Where the pointer is along the ruler, from 0 to 1. */
function place(event: PointerEvent): number {
  const { left, width } = event.currentTarget.getBoundingClientRect();
  return Math.min(Math.max((event.clientX - left) / Math.max(width, 1), 0), 1);
}

/** Ticks stand at round times: no digits are shown that are always zero. */
function formatTick(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  return ms < 60_000 ? `${Number((ms / 1000).toPrecision(4))} s` : `${Number((ms / 60_000).toFixed(1))} min`;
}
