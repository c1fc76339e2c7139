// Two panes and a bar between them. The share of the left one is remembered in this browser.
import { type ReactNode, useRef, useState } from "react";
import { readPreference, writePreference } from "@/shared/preferences";
import "./split.css";

const LEAST = 28;
const MOST = 72;
const FIRST = 52;

export function Split({ left, right }: { left: ReactNode; right: ReactNode }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [percent, setPercent] = useState(() => clamp(Number(readPreference("split")) || FIRST));
  const move = (to: number): void => {
    setPercent(clamp(to));
    writePreference("split", String(Math.round(clamp(to))));
  };
  return (
    <div className="split" ref={box} style={{ gridTemplateColumns: `minmax(0, ${percent}fr) 7px minmax(0, ${100 - percent}fr)` }}>
      <div className="split-pane">{left}</div>
      <div
        role="separator"
        className="split-bar"
        aria-orientation="vertical"
        aria-label="Width of the span tree"
        aria-valuenow={Math.round(percent)}
        aria-valuemin={LEAST}
        aria-valuemax={MOST}
        tabIndex={0}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => {
          if (!event.currentTarget.hasPointerCapture(event.pointerId) || !box.current) return;
          const { left: from, width } = box.current.getBoundingClientRect();
          move(((event.clientX - from) / width) * 100);
        }}
        onKeyDown={(event) => {
          const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
          if (!step) return;
          event.preventDefault();
          move(percent + step);
        }}
      />
      <div className="split-pane">{right}</div>
    </div>
  );
}

function clamp(percent: number): number {
  return Math.min(Math.max(percent, LEAST), MOST);
}
