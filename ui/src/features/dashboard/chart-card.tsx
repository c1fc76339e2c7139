// One chart with its sum, its legend, and the same numbers as a table.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { formatTime } from "@/shared/format";
import { useTheme } from "@/shared/theme";
import { type Chart, formatUnit, type Series } from "./charts";
import { chartQuery, type Frame } from "./dashboard-query";
import { TimeChart } from "./time-chart";

type Props = { chart: Chart; frame: Frame; onBrush: (fromMs: number, untilMs: number) => void };

export function ChartCard({ chart, frame, onBrush }: Props): ReactNode {
  const { data: series, error } = useQuery(chartQuery(chart, frame));
  const [hovered, setHovered] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const [theme] = useTheme();
  const { starts, sizeMs } = frame.buckets;
  const hasData = series?.some(({ values }) =>
    values.some((value) => value !== null && (value !== 0 || chart.unit === "share")),
  );
  return (
    <section className="chart" aria-label={chart.title} data-testid={`chart-${chart.id}`}>
      <header className="chart-head">
        <h2>{chart.title}</h2>
        <button type="button" className="button small quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          Table
        </button>
      </header>
      {error && <p className="chart-none">{error.message}</p>}
      {series && !hasData && <p className="chart-none">Nothing to show in this time</p>}
      {series && hasData && asTable && <ChartTable chart={chart} series={series} starts={starts} />}
      {series && hasData && !asTable && (
        <TimeChart
          key={theme}
          title={chart.title}
          times={starts}
          sizeMs={sizeMs}
          series={series}
          unit={chart.unit}
          kind={chart.kind}
          onHover={setHovered}
          onBrush={onBrush}
        />
      )}
      {series && hasData && !asTable && (
        <ul className="chart-legend">
          {series.map((one) => (
            <li key={one.label} title={one.label}>
              <span className="chart-key" style={{ background: `var(${one.color})` }} aria-hidden />
              <span className="truncate">{one.label}</span>
              {hovered !== null && <b>{formatUnit(chart.unit, one.values[hovered])}</b>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ChartTable({ chart, series, starts }: {
  chart: Chart;
  series: readonly Series[];
  starts: readonly number[];
}): ReactNode {
  const rows = starts
    .map((startMs, at) => ({ startMs, values: series.map(({ values }) => values[at] ?? null) }))
    .filter(({ values }) => values.some((value) => value !== null && value !== 0));
  return (
    <div className="chart-table">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">From</th>
            {series.map(({ label }) => (
              <th key={label} scope="col" className="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ startMs, values }) => (
            <tr key={startMs}>
              <th scope="row">{formatTime(new Date(startMs).toISOString())}</th>
              {values.map((value, at) => (
                <td key={series[at]?.label} className="number">
                  {formatUnit(chart.unit, value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
