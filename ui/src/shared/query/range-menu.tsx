import { CalendarClock, Check, ChevronDown } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { nameTimeRange, parseTimeRange, TIME_RANGES } from "@/shared/time-range";
import "./range-menu.css";

const CHOICES = [{ text: "", label: "All time" }, ...TIME_RANGES];

export function RangeMenu({ range, onChange }: {
  range: string;
  onChange: (range: string) => void;
}): ReactNode {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const wrong = typed !== "" && parseTimeRange(typed) === null;
  const choose = (text: string): void => {
    setOpen(false);
    setTyped("");
    onChange(text);
  };
  return (
    <div
      className="range"
      ref={box}
      onBlur={(event) => !box.current?.contains(event.relatedTarget) && setOpen(false)}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open) return;
        event.preventDefault();
        event.stopPropagation();
        setOpen(false);
      }}
    >
      <button
        type="button"
        className="button tall"
        aria-expanded={open}
        aria-haspopup="dialog"
        data-testid="range-menu"
        onClick={() => setOpen(!open)}
      >
        <CalendarClock size={14} aria-hidden />
        {nameTimeRange(range)}
        <ChevronDown size={13} aria-hidden />
      </button>
      {open && (
        <div className="menu range-list" role="dialog" aria-label="Time range">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!wrong) choose(typed.trim());
            }}
          >
            <input
              className="input mono"
              aria-label="Time range as text"
              aria-invalid={wrong}
              placeholder="25m, 3h, 2026-11-20.."
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
            {wrong && <p className="range-wrong">Write 25m, 3h, today, or day..day</p>}
          </form>
          {CHOICES.map(({ text, label }) => (
            <button
              key={text}
              type="button"
              className="menu-item"
              aria-pressed={text === range}
              onClick={() => choose(text)}
            >
              {label}
              {text === range && <Check size={14} aria-hidden />}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
