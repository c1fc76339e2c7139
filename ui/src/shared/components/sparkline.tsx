// A row's numbers over time, as bars without a scale: the form is what is told.
import type { ReactNode } from "react";
import "./sparkline.css";

const HEIGHT = 18;
const STEP = 4;

export function Sparkline({ values, label }: { values: readonly number[]; label: string }): ReactNode {
  const most = Math.max(1, ...values);
  const sum = values.reduce((total, value) => total + value, 0);
  return (
    <svg
      className="sparkline"
      role="img"
      aria-label={`${label}: ${sum} in all, at most ${Math.max(0, ...values)} at a time`}
      width={values.length * STEP}
      height={HEIGHT}
    >
      {values.map((value, at) => {
        const height = value === 0 ? 1 : Math.max(2, (value / most) * HEIGHT);
        return (
          <rect
            // The bars have no identity but their place.
            key={at}
            className={value === 0 ? "none" : undefined}
            x={at * STEP}
            y={HEIGHT - height}
            width={STEP - 1}
            height={height}
          />
        );
      })}
    </svg>
  );
}
