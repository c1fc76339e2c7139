// The tabs of the span detail that are not the conversation.
import { ArrowUpRight } from "lucide-react";
import { type ReactNode, useDeferredValue, useState } from "react";
import type { Span, SpanEvent } from "@/shared/api/types";
import { CopyButton } from "@/shared/components/copy-button";
import { JsonView } from "@/shared/components/json-view";
import { formatBytes, formatDuration } from "@/shared/format";
import { parseJson } from "./chat/message";
import type { Failure } from "./exception";
import { payloadUrl, readLarge } from "./large";

export function InputsOutputs({ span }: { span: Span }): ReactNode {
  return (
    <div className="panel-stack">
      <ValueCard title="Inputs" value={span.inputs} span={span} />
      <ValueCard title="Outputs" value={span.outputs} span={span} />
    </div>
  );
}

function ValueCard({ title, value, span }: { title: string; value: unknown; span: Span }): ReactNode {
  const parsed = parseJson(value);
  const nothing = value === undefined || value === null;
  return (
    <section className="value-card" aria-label={title}>
      <header>
        <h3>{title}</h3>
        {!nothing && <CopyButton text={() => toText(parsed)} label={`Copy ${title}`} caption="Copy" />}
      </header>
      {nothing ? <p className="panel-none">Not recorded</p> : <Value value={parsed} span={span} />}
    </section>
  );
}

function Value({ value, span }: { value: unknown; span: Span }): ReactNode {
  const large = readLarge(value);
  if (large) {
    return (
      <div className="value-text">
        {large.head && `${large.head}…\n`}
        <a href={payloadUrl(span, large.field)} target="_blank" rel="noreferrer">
          Open all {formatBytes(large.size_bytes)}
        </a>
      </div>
    );
  }
  return typeof value === "string" ? (
    <div className="value-text">{value}</div>
  ) : (
    <JsonView value={value} openDepth={3} />
  );
}

export function Attributes({ span }: { span: Span }): ReactNode {
  const [words, setWords] = useState("");
  const wanted = useDeferredValue(words.trim().toLowerCase());
  const groups = [
    ["Attributes", span.attributes],
    ["Resource", span.resource],
    ["Scope", span.scope],
  ] as const;
  return (
    <div className="panel-stack">
      <input
        type="search"
        className="input"
        placeholder="Find a key or a value"
        aria-label="Find an attribute"
        value={words}
        onChange={(event) => setWords(event.target.value)}
      />
      {groups.map(([title, held]) => (
        <AttributeTable key={title} title={title} attributes={held ?? {}} wanted={wanted} span={span} />
      ))}
    </div>
  );
}

function AttributeTable({ title, attributes, wanted, span }: {
  title: string;
  attributes: Record<string, unknown>;
  wanted: string;
  span: Span;
}): ReactNode {
  const entries = Object.entries(attributes)
    .filter(([key, value]) => !wanted || `${key} ${toText(value)}`.toLowerCase().includes(wanted))
    .toSorted(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  if (entries.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3 className="panel-title">{title}</h3>
      <table className="attributes">
        <tbody>
          {entries.map(([key, value]) => (
            <tr key={key}>
              <th scope="row" className="mono">
                {key}
              </th>
              <td>
                <Value value={value} span={span} />
              </td>
              <td className="attribute-copy">
                <CopyButton text={() => toText(value)} label={`Copy ${key}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Events({ span }: { span: Span }): ReactNode {
  const events = span.events ?? [];
  const links = span.links ?? [];
  return (
    <div className="panel-stack">
      {events.length + links.length === 0 && <p className="panel-none">No events</p>}
      {events.map((event, index) => (
        <EventCard key={index} event={event} startNs={span.start_time_unix_nano} />
      ))}
      {links.map((link) => (
        <section key={link.trace_id + link.span_id} className="value-card">
          <header>
            <ArrowUpRight size={13} aria-hidden />
            <h3>Link</h3>
            <span className="mono panel-none">{link.trace_id}</span>
          </header>
          <JsonView value={link.attributes} />
        </section>
      ))}
    </div>
  );
}

function EventCard({ event, startNs }: { event: SpanEvent; startNs: number }): ReactNode {
  return (
    <section className="value-card">
      <header>
        <h3>{event.name}</h3>
        <span className="panel-none">+{formatDuration((event.time_unix_nano - startNs) / 1e6)}</span>
      </header>
      <JsonView value={event.attributes} />
    </section>
  );
}

export function Failures({ failures }: { failures: readonly Failure[] }): ReactNode {
  return (
    <div className="panel-stack">
      {failures.map((failure, index) => (
        <section key={index} className="failure" data-testid="failure">
          <header>
            <div>
              {failure.type && <h3 className="mono">{failure.type}</h3>}
              <p>{failure.message}</p>
            </div>
            <CopyButton
              text={[failure.type, failure.message, failure.stackTrace].filter(Boolean).join("\n")}
              label="Copy the error"
              caption="Copy"
            />
          </header>
          {failure.stackTrace && <pre className="code-block">{failure.stackTrace.trim()}</pre>}
        </section>
      ))}
    </div>
  );
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
