import { useEffect, useState } from "react";

/** The time in nanoseconds, ticking only while something still runs. */
export function useNowNs(ticking: boolean): number {
  const [nowNs, setNowNs] = useState(() => Date.now() * 1e6);
  useEffect(() => {
    if (!ticking) return;
    const timer = setInterval(() => setNowNs(Date.now() * 1e6), 500);
    return () => clearInterval(timer);
  }, [ticking]);
  return nowNs;
}
