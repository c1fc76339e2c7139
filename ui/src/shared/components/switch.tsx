import type { ReactNode } from "react";

type Props = { checked: boolean; onChange: (checked: boolean) => void; label: string; title?: string };

export function Switch({ checked, onChange, label, title }: Props): ReactNode {
  return (
    <button
      type="button"
      role="switch"
      className="switch"
      aria-checked={checked}
      title={title}
      onClick={() => onChange(!checked)}
    >
      <span className="track" aria-hidden /> {label}
    </button>
  );
}
