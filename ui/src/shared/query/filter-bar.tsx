// The one line in which a list is asked for. Enter applies; of a text that is refused it shows where.
import { CornerDownLeft, LoaderCircle, Search, X } from "lucide-react";
import { type KeyboardEvent, type ReactNode, type RefObject, useId, useState } from "react";
import type { ApiError } from "@/shared/api/client";
import type { Suggestion } from "./completion";
import type { Scope } from "./scope";
import { useCompletion } from "./use-completion";
import "./filter-bar.css";

export type FilterError = { message: string; column: number | null };

/** What the bar shows of a filter that the server refused. */
export function toFilterError(error: ApiError): FilterError {
  return { message: error.message.replace(/\s*\(column \d+\)/, ""), column: error.column ?? null };
}

type Props = {
  /** What is shown now; the text of the bar starts from its filter again whenever it changes. */
  scope: Scope;
  label?: string;
  onApply: (text: string) => void;
  busy: boolean;
  error: FilterError | null;
  inputRef: RefObject<HTMLInputElement | null>;
};

export function FilterBar({ scope, label = "Filter traces", onApply, busy, error, inputRef }: Props): ReactNode {
  const id = useId();
  const applied = scope.q ?? "";
  const [draft, setDraft] = useState({ applied, text: applied });
  const text = draft.applied === applied ? draft.text : applied;
  const [caret, setCaret] = useState(0);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const completion = useCompletion(scope, text, caret, open);
  const suggestions = open ? completion.suggestions : [];

  const edit = (next: string, at: number): void => {
    setDraft({ applied, text: next });
    setCaret(at);
    setActive(-1);
    setOpen(true);
  };
  const accept = (suggestion: Suggestion): void => {
    const at = completion.from + suggestion.insert.length;
    edit(text.slice(0, completion.from) + suggestion.insert + text.slice(caret).trimStart(), at);
    requestAnimationFrame(() => inputRef.current?.setSelectionRange(at, at));
  };
  const apply = (next: string): void => {
    setDraft({ applied, text: next });
    setOpen(false);
    onApply(next.trim());
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const chosen = suggestions[active];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const count = completion.suggestions.length;
      setActive(nextIndex(active, event.key === "ArrowDown" ? 1 : -1, count));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (chosen) accept(chosen);
      else apply(text);
    } else if (event.key === "Tab" && !event.shiftKey && text && suggestions[0]) {
      event.preventDefault();
      accept(chosen ?? suggestions[0]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (suggestions.length > 0) setOpen(false);
      else inputRef.current?.blur();
    }
  };

  return (
    <div className="filter">
      <div className={error ? "filter-box failed" : "filter-box"}>
        {busy ? (
          <LoaderCircle size={15} className="filter-busy" aria-hidden />
        ) : (
          <Search size={15} aria-hidden />
        )}
        <input
          ref={inputRef}
          type="text"
          role="combobox"
          aria-label={label}
          aria-expanded={suggestions.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
          aria-invalid={error !== null}
          aria-describedby={error ? `${id}-error` : undefined}
          data-testid="filter-bar"
          autoComplete="off"
          autoCorrect="off"
          spellCheck={false}
          placeholder="Words to find, or failed user:ann cost:>0.02"
          value={text}
          onChange={(event) => edit(event.target.value, event.target.selectionStart ?? 0)}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
        {text !== applied && (
          <span className="filter-hint">
            <CornerDownLeft size={12} aria-hidden /> apply
          </span>
        )}
        {text ? (
          <button
            type="button"
            className="button small icon quiet"
            aria-label="Clear the filter"
            title="Clear the filter"
            onClick={() => apply("")}
          >
            <X size={14} aria-hidden />
          </button>
        ) : (
          <kbd>/</kbd>
        )}
        <ul
          id={`${id}-list`}
          role="listbox"
          aria-label="Suggestions"
          className="menu filter-menu"
          hidden={suggestions.length === 0}
        >
          {suggestions.map((suggestion, index) => (
            // The keys of this option are those of the input, which keeps the focus.
            <li
              key={suggestion.insert}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => accept(suggestion)}
            >
              <span className="mono">{suggestion.label}</span>
              <span className="filter-detail">{suggestion.detail}</span>
            </li>
          ))}
        </ul>
      </div>
      {error && (
        <div className="filter-error" role="alert" id={`${id}-error`} data-testid="filter-error">
          {error.column !== null && <FaultyText text={text} column={error.column} />}
          <p>
            {error.message}
            {error.column !== null && <span className="filter-column">column {error.column}</span>}
          </p>
        </div>
      )}
    </div>
  );
}

function FaultyText({ text, column }: { text: string; column: number }): ReactNode {
  const at = Math.min(column - 1, text.length);
  return (
    <pre aria-hidden>
      {text.slice(Math.max(0, at - 60), at)}
      <mark>{text.slice(at, at + 1) || " "}</mark>
      {text.slice(at + 1, at + 60)}
    </pre>
  );
}

function nextIndex(index: number, step: number, count: number): number {
  if (count === 0) return -1;
  const next = index + step;
  return next < 0 ? count - 1 : next >= count ? 0 : next;
}
