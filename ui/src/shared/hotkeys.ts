// Plain-letter keys for a page, alone or as two in a row (`g t`). They are silent while someone types, and
// under a modal dialog.
import { useEffect, useRef } from "react";

export type Hotkeys = Record<string, (event: KeyboardEvent) => void>;

const SECOND_KEY_MS = 1_500;

export function useHotkeys(keys: Hotkeys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    let first = { key: "", atMs: 0 };
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
      const isSecond = event.timeStamp - first.atMs < SECOND_KEY_MS;
      const both = isSecond ? latest.current[`${first.key} ${event.key}`] : undefined;
      first = both ? { key: "", atMs: 0 } : { key: event.key, atMs: event.timeStamp };
      const action = both ?? latest.current[event.key];
      if (!action) return;
      event.preventDefault();
      action(event);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
