// Everything about the selected span. Its payload is fetched when it is selected, not before.
import { type ReactNode, useMemo } from "react";
import type { Span, SpanHead } from "@/shared/api/types";
import { CopyButton } from "@/shared/components/copy-button";
import { ErrorState, RowSkeletons } from "@/shared/components/states";
import { type Tab, Tabs } from "@/shared/components/tabs";
import { formatCost, formatCount, formatDuration } from "@/shared/format";
import { useSpan } from "./api/get-span";
import { ChatView } from "./chat/chat-view";
import { readConversation } from "./chat/conversation";
import type { Conversation } from "./chat/message";
import { Attributes, Events, Failures, InputsOutputs } from "./detail-panels";
import { type Failure, findFailures } from "./exception";
import { SpanTypeIcon } from "./span-type";
import { durationMs } from "./timeline";
import type { DetailTab } from "./trace-search";
import "./span-detail.css";

type Props = {
  head: SpanHead;
  nowNs: number;
  tab: DetailTab | undefined;
  onTab: (tab: DetailTab) => void;
};

export function SpanDetail({ head, nowNs, tab, onTab }: Props): ReactNode {
  const query = useSpan(head);
  return (
    <section className="detail" aria-label="Selected span" data-testid="span-detail">
      <header className="detail-head">
        <SpanTypeIcon spanType={head.span_type} />
        <h2 className="truncate" title={head.name}>
          {head.name}
        </h2>
        <CopyButton text={head.span_id} label="Copy the span id" />
      </header>
      <Facts head={head} span={query.data} nowNs={nowNs} />
      {query.isPending && <RowSkeletons rows={8} rowHeightPx={34} />}
      {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {query.data && <Payload key={head.span_id} span={query.data} tab={tab} onTab={onTab} />}
    </section>
  );
}

function Facts({ head, span, nowNs }: {
  head: SpanHead;
  span: Span | undefined;
  nowNs: number;
}): ReactNode {
  const tokens = head.token_usage;
  const cached = span?.token_usage?.cache_read_input_tokens;
  const facts = [
    ["Type", head.span_type],
    ["Time", head.end_time_unix_nano === null ? "running" : formatDuration(durationMs(head, nowNs))],
    ["Model", head.model],
    ["Provider", head.provider],
    ["Tokens", tokens && `${formatCount(tokens.input_tokens)} in · ${formatCount(tokens.output_tokens)} out`],
    ["Cached", cached && formatCount(cached)],
    ["Cost", head.cost && formatCost(head.cost.total_cost)],
  ] as const;
  return (
    <dl className="detail-facts">
      {facts.map(([label, value]) =>
        value ? (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

type PayloadProps = { span: Span; tab: DetailTab | undefined; onTab: (tab: DetailTab) => void };

function Payload({ span, tab, onTab }: PayloadProps): ReactNode {
  const conversation = useMemo(() => readConversation(span), [span]);
  const failures = useMemo(() => findFailures(span), [span]);
  const tabs = findTabs(span, conversation, failures);
  const shown = tabs.find((one) => one.key === tab)?.key ?? tabs[0]?.key ?? "io";
  return (
    <Tabs label="Span detail" tabs={tabs} selected={shown} onSelect={onTab} panelClassName="detail-panel">
      {shown === "error" && <Failures failures={failures} />}
      {shown === "chat" && conversation && <ChatView conversation={conversation} />}
      {shown === "io" && <InputsOutputs span={span} />}
      {shown === "attributes" && <Attributes span={span} />}
      {shown === "events" && <Events span={span} />}
    </Tabs>
  );
}

/** The first one is what a reader most likely came for: an error, then a conversation. */
function findTabs(
  span: Span,
  conversation: Conversation | null,
  failures: readonly Failure[],
): Tab<DetailTab>[] {
  const tabs: Tab<DetailTab>[] = [];
  if (failures.length > 0) tabs.push({ key: "error", label: "Error" });
  if (conversation) tabs.push({ key: "chat", label: "Chat" });
  const events = (span.events?.length ?? 0) + (span.links?.length ?? 0);
  tabs.push(
    { key: "io", label: "Inputs / Outputs" },
    { key: "attributes", label: "Attributes", count: Object.keys(span.attributes ?? {}).length },
    { key: "events", label: "Events", ...(events > 0 ? { count: events } : {}) },
  );
  return tabs;
}
