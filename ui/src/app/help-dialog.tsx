import { type ReactNode, useEffect, useRef } from "react";

const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Lists",
    [
      ["/", "go to the filter bar"],
      ["j  k", "next, previous row"],
      ["Enter", "open the row"],
      [".", "pause or resume live"],
      ["Alt+click", "filter by what is clicked"],
      ["Shift+Alt+click", "exclude what is clicked"],
    ],
  ],
  [
    "One trace",
    [
      ["↑  ↓", "next, previous span"],
      ["←  →", "fold, unfold"],
      ["n  N", "next, previous failed span"],
      ["z", "zoom to the span, and back"],
      ["t  l  r", "tree, log, raw"],
      ["+  -", "thumbs up, thumbs down"],
      ["Ctrl+Enter", "send the feedback"],
      ["Esc", "back to the list"],
    ],
  ],
  [
    "Everywhere",
    [
      ["g t", "traces"],
      ["g s", "sessions"],
      ["g u", "users"],
      ["g d", "dashboard"],
      ["g e", "errors"],
      ["g v", "versions"],
      ["E", "all experiments"],
      ["?", "this help"],
    ],
  ],
];

export function HelpDialog({ onClose }: { onClose: () => void }): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title" onClose={onClose}>
      <header>
        <h2 id="help-title">Keys</h2>
        <form method="dialog">
          <button type="submit" className="button small">
            Close
          </button>
        </form>
      </header>
      <div className="help-groups">
        {KEYS.map(([group, keys]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {keys.map(([key, meaning]) => (
                <div key={key}>
                  <dt>
                    {key.split("  ").map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                  </dt>
                  <dd>{meaning}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
