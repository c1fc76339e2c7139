// Intervals of 95 % for shares, quantiles and the difference of two of them.
export type Interval = { low: number; high: number };
export type Estimate = Interval & { value: number };

/** Of a standard normal distribution: 95 % lie within so much of its middle. */
const Z = 1.959964;

/** A share with Wilson's interval (Wilson 1927, JASA 22: 209); null for none of none. */
export function estimateShare(part: number, whole: number): Estimate | null {
  if (whole <= 0) return null;
  const share = part / whole;
  const shrink = 1 + Z ** 2 / whole;
  const middle = (share + Z ** 2 / (2 * whole)) / shrink;
  const half = (Z / shrink) * Math.sqrt((share * (1 - share)) / whole + Z ** 2 / (4 * whole ** 2));
  return { value: share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** The percentiles of a sample between which its quantile lies: the binomial ranks of order statistics
 * (Conover 1999, Practical Nonparametric Statistics, 3.2), in percent. */
export function boundsOfQuantile(quantile: number, count: number): Interval {
  const half = count > 0 ? Z * Math.sqrt((quantile * (1 - quantile)) / count) : 1;
  return { low: Math.max(0, quantile - half) * 100, high: Math.min(1, quantile + half) * 100 };
}

/** How much larger `b` is than `a`, each with an interval of its own that need not be symmetric
 * (MOVER: Newcombe 1998, Statistics in Medicine 17: 873, method 10). */
export function differenceOf(a: Estimate, b: Estimate): Estimate {
  const value = b.value - a.value;
  return {
    value,
    low: value - Math.hypot(b.value - b.low, a.high - a.value),
    high: value + Math.hypot(b.high - b.value, a.value - a.low),
  };
}

/** Whether the interval leaves no difference out. */
export function isClear({ low, high }: Interval): boolean {
  return low > 0 || high < 0;
}
