import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useCreateExperiment } from "./api/create-experiment";

export function NewExperiment({ onDone }: { onDone: () => void }): ReactNode {
  const [name, setName] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const create = useCreateExperiment();
  const navigate = useNavigate();
  useEffect(() => input.current?.focus(), []);

  const submit = async (): Promise<void> => {
    const { experiment_id: experimentId } = await create.mutateAsync(name.trim());
    await navigate({ to: "/p/$experimentId/traces", params: { experimentId } });
  };
  return (
    <form
      className="new-experiment"
      onSubmit={(event) => {
        event.preventDefault();
        submit().catch(() => input.current?.focus()); // the message is shown from create.error
      }}
      onKeyDown={(event) => event.key === "Escape" && onDone()}
    >
      <input
        ref={input}
        className="input"
        aria-label="Name of the experiment"
        placeholder="support-agent"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="button primary" disabled={!name.trim() || create.isPending}>
        Create
      </button>
      <button type="button" className="button quiet" onClick={onDone}>
        Cancel
      </button>
      {create.error && <p role="alert">{create.error.message}</p>}
    </form>
  );
}
