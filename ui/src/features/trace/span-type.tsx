import {
  Bot,
  Boxes,
  BrainCircuit,
  CircleDot,
  Database,
  FileSearch,
  Link2,
  type LucideIcon,
  ShieldCheck,
  Wrench,
} from "lucide-react";
import type { ReactNode } from "react";

type Look = { icon: LucideIcon; colour: string };

const LOOKS: Record<string, Look> = {
  AGENT: { icon: Bot, colour: "agent" },
  LLM: { icon: BrainCircuit, colour: "llm" },
  CHAT_MODEL: { icon: BrainCircuit, colour: "llm" },
  TOOL: { icon: Wrench, colour: "tool" },
  RETRIEVER: { icon: FileSearch, colour: "retriever" },
  RERANKER: { icon: FileSearch, colour: "retriever" },
  EMBEDDING: { icon: Boxes, colour: "embedding" },
  MEMORY: { icon: Database, colour: "embedding" },
  GUARDRAIL: { icon: ShieldCheck, colour: "guard" },
  EVALUATOR: { icon: ShieldCheck, colour: "guard" },
  CHAIN: { icon: Link2, colour: "chain" },
};
const OTHER: Look = { icon: CircleDot, colour: "chain" };

/** The colour class of a span's type; its bar and its icon share it. */
export function typeClass(spanType: string): string {
  return `type-${(LOOKS[spanType] ?? OTHER).colour}`;
}

export function SpanTypeIcon({ spanType }: { spanType: string }): ReactNode {
  const Icon = (LOOKS[spanType] ?? OTHER).icon;
  return (
    <span className={`type-icon ${typeClass(spanType)}`} title={spanType}>
      <Icon size={13} aria-label={spanType} />
    </span>
  );
}
