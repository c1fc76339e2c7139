// A conversation as people read one. What the model was told before this call is folded away.
import { Bot, ChevronRight, Lightbulb, Settings2, User, Wrench } from "lucide-react";
import { type ReactNode, useState } from "react";
import { CopyButton } from "@/shared/components/copy-button";
import { JsonView } from "@/shared/components/json-view";
import { plural, toOneLine } from "@/shared/format";
import { type ChatMessage, type Conversation, parseJson } from "./message";
import { RichText } from "./rich-text";
import { layOut, type PairedCall, type Turn } from "./turns";
import "./chat-view.css";

const FOLD_FROM = 2;
const ROLES: Record<string, { label: string; icon: typeof User }> = {
  user: { label: "User", icon: User },
  assistant: { label: "Assistant", icon: Bot },
  system: { label: "System", icon: Settings2 },
  tool: { label: "Tool result", icon: Wrench },
  reasoning: { label: "Reasoning", icon: Lightbulb },
};

export function ChatView({ conversation }: { conversation: Conversation }): ReactNode {
  const { earlier, current, answer } = layOut(conversation);
  const [open, setOpen] = useState(false);
  const fold = earlier.length >= FOLD_FROM;
  return (
    <div className="chat" data-testid="chat">
      {fold && (
        <button type="button" className="chat-earlier" aria-expanded={open} onClick={() => setOpen(!open)}>
          <ChevronRight size={14} aria-hidden />
          {plural(earlier.length, "earlier message")}
          <span>seen by the model call before this one</span>
        </button>
      )}
      {(open || !fold) && earlier.map((turn, index) => <TurnView key={index} turn={turn} folded />)}
      {current.map((turn, index) => (
        <TurnView key={index} turn={turn} folded={turn.message.role === "system"} />
      ))}
      {answer.length > 0 && current.length + earlier.length > 0 && (
        <div className="chat-divider">
          <span>Answer</span>
        </div>
      )}
      {answer.map((turn, index) => (
        <TurnView key={index} turn={turn} folded={false} />
      ))}
    </div>
  );
}

function TurnView({ turn, folded }: { turn: Turn; folded: boolean }): ReactNode {
  const { message, calls } = turn;
  const [open, setOpen] = useState(!folded);
  const { label, icon: Icon } = ROLES[message.role] ?? { label: message.role, icon: User };
  return (
    <article className={`turn ${message.role}`}>
      <header>
        <button type="button" className="turn-head" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon size={14} aria-hidden />
          <span className="turn-role">{label}</span>
          {message.name && <span className="turn-name mono">{message.name}</span>}
          {!open && <span className="turn-line truncate">{oneLine(turn)}</span>}
        </button>
        {open && message.text && <CopyButton text={message.text} label={`Copy the text of ${label}`} />}
      </header>
      {open && (
        <div className="turn-body">
          {message.text && (message.role === "tool" ? <ToolText text={message.text} /> : <RichText text={message.text} />)}
          {!message.text && calls.length === 0 && <p className="turn-empty">No text</p>}
          {calls.map((call, index) => (
            <CallView key={call.id ?? index} call={call} />
          ))}
        </div>
      )}
    </article>
  );
}

function CallView({ call }: { call: PairedCall }): ReactNode {
  return (
    <div className="call" data-testid="tool-call">
      <div className="call-head">
        <Wrench size={13} aria-hidden />
        <span className="mono">{call.name}</span>
      </div>
      <div className="call-part">
        <span className="call-label">Arguments</span>
        <JsonView value={call.arguments} openDepth={1} />
      </div>
      {call.result && (
        <div className="call-part">
          <span className="call-label">Result</span>
          <ToolText text={call.result.text} />
        </div>
      )}
    </div>
  );
}

function ToolText({ text }: { text: string }): ReactNode {
  const value = parseJson(text);
  return typeof value === "object" && value !== null ? (
    <JsonView value={value} openDepth={1} />
  ) : (
    <div className="call-text">{text}</div>
  );
}

function oneLine({ message, calls }: { message: ChatMessage; calls: PairedCall[] }): string {
  return toOneLine(message.text) || calls.map((call) => `${call.name}(…)`).join(", ");
}
