import { Check, Copy } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";

type Props = { text: string | (() => string); label: string; caption?: string };

export function CopyButton({ text, label, caption }: Props): ReactNode {
  const [state, setState] = useState<"idle" | "copied" | "refused">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 1500);
    return () => clearTimeout(timer);
  }, [state]);

  const copy = async (): Promise<void> => {
    setState((await copyText(typeof text === "string" ? text : text())) ? "copied" : "refused");
  };
  const Icon = state === "copied" ? Check : Copy;
  return (
    <button
      type="button"
      className={caption ? "button small quiet" : "button small icon quiet"}
      aria-label={label}
      title={state === "refused" ? "The browser refused; select the text and copy it" : label}
      onClick={() => void copy()}
    >
      <Icon size={13} aria-hidden /> {caption && (state === "copied" ? "Copied" : caption)}
      <span className="visually-hidden" role="status">
        {state === "copied" && "Copied"}
        {state === "refused" && "Not copied"}
      </span>
    </button>
  );
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyThroughSelection(text); // plain http on another host has no clipboard API
  }
}

function copyThroughSelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
