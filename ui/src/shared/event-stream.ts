// Server-sent events, resumed by themselves: after a lost connection, a refusal, a long time out of sight.
import { useEffect, useRef, useState } from "react";

const AGAIN_MS = 3_000;
const HIDDEN_MS = 30 * 60_000;

export type StreamState = "connecting" | "live" | "away";

const NOWHERE = { of: null, state: "connecting" as const };

type Handlers = Record<string, (data: unknown) => void>;

/** Events of an address, by name, while it is not null. */
export function useEventStream(address: string | null, handlers: Handlers): StreamState {
  const [{ of, state }, setState] = useState<{ of: string | null; state: StreamState }>(NOWHERE);
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });
  useEffect(() => {
    if (address === null) return;
    const onEvent = (name: string, data: unknown): void => latest.current[name]?.(data);
    return follow(address, Object.keys(latest.current), onEvent, (next) => setState({ of: address, state: next }));
  }, [address]);
  return of === address ? state : "connecting";
}

/** Listens until the function it returns is called. */
function follow(
  address: string,
  names: readonly string[],
  onEvent: (name: string, data: unknown) => void,
  onState: (state: StreamState) => void,
): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

  const close = (): void => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const open = (): void => {
    close();
    source = new EventSource(address);
    source.addEventListener("open", () => onState("live"));
    source.addEventListener("error", () => {
      onState("away");
      // Where the server refused, the browser does not try again.
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN_MS);
    });
    for (const name of names) {
      source.addEventListener(name, (event) => {
        // The browser has an `open` of its own, without data.
        if (event instanceof MessageEvent) onEvent(name, JSON.parse(String(event.data)));
      });
    }
  };
  const onVisibility = (): void => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN_MS);
    else if (source === null) open();
  };
  open();
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(hiddenTimer);
    close();
  };
}
