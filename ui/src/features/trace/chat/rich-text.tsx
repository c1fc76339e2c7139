// The little Markdown that answers are made of: code, bold, lists, headings. Never HTML, never images.
import type { ReactNode } from "react";

const FENCE = /```([\w+-]*)\n([\s\S]*?)(?:```|$)/g;
const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*/g;
const LONGEST = 60_000;

export function RichText({ text }: { text: string }): ReactNode {
  if (text.length > LONGEST) return <div className="rich plain">{text}</div>;
  const blocks: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(FENCE)) {
    blocks.push(<Lines key={at} text={text.slice(at, match.index)} />);
    at = match.index + match[0].length;
    blocks.push(
      <pre key={`code-${at}`} className="code-block">
        {match[2]?.replace(/\n$/, "")}
      </pre>,
    );
  }
  blocks.push(<Lines key={at} text={text.slice(at)} />);
  return <div className="rich">{blocks}</div>;
}

function Lines({ text }: { text: string }): ReactNode {
  const trimmed = text.replace(/^\n+|\n+$/g, "");
  if (!trimmed) return null;
  return trimmed.split("\n").map((line, index) => {
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    const item = /^(\s*)(?:[-*]|(\d+)[.)])\s+(.*)$/.exec(line);
    if (heading) {
      return (
        <p key={index} className="rich-heading">
          <Inline text={heading[1] ?? ""} />
        </p>
      );
    }
    if (item) {
      return (
        <p key={index} className="rich-item" style={{ marginLeft: (item[1]?.length ?? 0) * 6 }}>
          <span aria-hidden>{item[2] ? `${item[2]}.` : "•"}</span>
          <span>
            <Inline text={item[3] ?? ""} />
          </span>
        </p>
      );
    }
    return (
      <p key={index} className={line.trim() ? undefined : "rich-gap"}>
        <Inline text={line} />
      </p>
    );
  });
}

function Inline({ text }: { text: string }): ReactNode {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    parts.push(
      match[1] === undefined ? <strong key={at}>{match[2]}</strong> : <code key={at}>{match[1]}</code>,
    );
  }
  parts.push(text.slice(at));
  return parts;
}
