// A JSON value as a tree that folds. Children are put in the page only when their parent is open.
import { ChevronRight } from "lucide-react";
import { type ReactNode, useState } from "react";
import "./json-view.css";

const CHILDREN_AT_ONCE = 100;
const TEXT_AT_ONCE = 4_000;

type Props = { value: unknown; openDepth?: number };

export function JsonView({ value, openDepth = 2 }: Props): ReactNode {
  return (
    <div className="json">
      <Node value={value} depth={0} openDepth={openDepth} />
    </div>
  );
}

type NodeProps = { name?: string; value: unknown; depth: number; openDepth: number };

function Node({ name, value, depth, openDepth }: NodeProps): ReactNode {
  if (typeof value === "object" && value !== null) {
    return <Branch name={name} value={value} depth={depth} openDepth={openDepth} />;
  }
  return (
    <div className="json-leaf">
      <Name name={name} />
      <Leaf value={value} />
    </div>
  );
}

function Branch({ name, value, depth, openDepth }: {
  name: string | undefined;
  value: object;
  depth: number;
  openDepth: number;
}): ReactNode {
  const [open, setOpen] = useState(depth < openDepth);
  const [shown, setShown] = useState(CHILDREN_AT_ONCE);
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [left, right] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) {
    return (
      <div className="json-leaf">
        <Name name={name} />
        <span className="json-mark">{left + right}</span>
      </div>
    );
  }
  return (
    <div>
      <button type="button" className="json-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <ChevronRight size={12} aria-hidden />
        <Name name={name} />
        <span className="json-mark">{left}</span>
        {!open && (
          <span className="json-summary">
            {summarise(entries, isList)}
            <span className="json-mark">{right}</span>
          </span>
        )}
      </button>
      {open && (
        <div className="json-children">
          {entries.slice(0, shown).map(([key, child]) => (
            <Node key={key} name={key} value={child} depth={depth + 1} openDepth={openDepth} />
          ))}
          {entries.length > shown && (
            <button
              type="button"
              className="button small"
              onClick={() => setShown(shown + CHILDREN_AT_ONCE)}
            >
              {entries.length - shown} more
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Name({ name }: { name: string | undefined }): ReactNode {
  return name === undefined ? null : <span className="json-name">{name}</span>;
}

function Leaf({ value }: { value: unknown }): ReactNode {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") {
    return <span className={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
  }
  const long = value.length > TEXT_AT_ONCE && !whole;
  return (
    <span className="json-string">
      {long ? value.slice(0, TEXT_AT_ONCE) : value}
      {long && (
        <button type="button" className="button small" onClick={() => setWhole(true)}>
          Show all {value.length.toLocaleString("en")} characters
        </button>
      )}
    </span>
  );
}

function summarise(entries: [string, unknown][], isList: boolean): string {
  if (isList) return `${entries.length} ${entries.length === 1 ? "item" : "items"}`;
  const names = entries.slice(0, 4).map(([key]) => key);
  return names.join(", ") + (entries.length > 4 ? ", …" : "");
}
