// Thumbs and a comment for the trace, in as few keys as it takes: + or -, words, Ctrl+Enter.
import { Bot, Code, MessageSquareText, ThumbsDown, ThumbsUp, Trash2, User } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Assessment, TraceInfo } from "@/shared/api/types";
import { describeValue } from "@/shared/components/feedback-chips";
import { formatAge } from "@/shared/format";
import { useHotkeys } from "@/shared/hotkeys";
import { useCreateFeedback } from "./api/create-assessment";
import { useDeleteAssessment } from "./api/delete-assessment";
import "./feedback.css";

type Panel = "closed" | "up" | "down" | "list";

export function Feedback({ trace }: { trace: TraceInfo }): ReactNode {
  const [panel, setPanel] = useState<Panel>("closed");
  const toggle = (wanted: Panel): void => setPanel(panel === wanted ? "closed" : wanted);
  useHotkeys({ "+": () => setPanel("up"), "-": () => setPanel("down") });
  const count = trace.assessments.length;
  return (
    <div
      className="feedback"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || panel === "closed") return;
        event.preventDefault();
        event.stopPropagation();
        setPanel("closed");
      }}
    >
      <button
        type="button"
        className="button"
        title="Thumbs up (+)"
        aria-label="Thumbs up"
        aria-pressed={panel === "up"}
        data-testid="thumbs-up"
        onClick={() => toggle("up")}
      >
        <ThumbsUp size={14} aria-hidden />
      </button>
      <button
        type="button"
        className="button"
        title="Thumbs down (-)"
        aria-label="Thumbs down"
        aria-pressed={panel === "down"}
        data-testid="thumbs-down"
        onClick={() => toggle("down")}
      >
        <ThumbsDown size={14} aria-hidden />
      </button>
      {count > 0 && (
        <button
          type="button"
          className="button"
          aria-expanded={panel !== "closed"}
          data-testid="feedback-list-button"
          onClick={() => toggle("list")}
        >
          <MessageSquareText size={14} aria-hidden /> {count}
          <span className="visually-hidden">{count === 1 ? "assessment" : "assessments"}</span>
        </button>
      )}
      {panel !== "closed" && (
        <div className="menu feedback-panel" role="dialog" aria-label="Feedback">
          {panel !== "list" && (
            <FeedbackForm
              key={panel}
              traceId={trace.trace_id}
              thumbsUp={panel === "up"}
              onSent={() => setPanel("closed")}
            />
          )}
          {count > 0 && <AssessmentList traceId={trace.trace_id} assessments={trace.assessments} />}
        </div>
      )}
    </div>
  );
}

function FeedbackForm({ traceId, thumbsUp, onSent }: {
  traceId: string;
  thumbsUp: boolean;
  onSent: () => void;
}): ReactNode {
  const [comment, setComment] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  const create = useCreateFeedback(traceId);
  useEffect(() => box.current?.focus(), []);
  const send = (): void => {
    if (!create.isPending) create.mutate({ thumbsUp, comment: comment.trim() }, { onSuccess: onSent });
  };
  const Icon = thumbsUp ? ThumbsUp : ThumbsDown;
  return (
    <form
      className="feedback-form"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label htmlFor="feedback-comment">
        <Icon size={14} className={thumbsUp ? "up" : "down"} aria-hidden />
        {thumbsUp ? "What was good?" : "What went wrong?"}
      </label>
      <textarea
        ref={box}
        id="feedback-comment"
        className="input"
        data-testid="feedback-comment"
        rows={3}
        placeholder="A comment, if you like"
        value={comment}
        onChange={(event) => setComment(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            send();
          }
        }}
      />
      {create.error && <p role="alert">{create.error.message}</p>}
      <div className="feedback-send">
        <span>
          <kbd>Ctrl</kbd> <kbd>Enter</kbd>
        </span>
        <button type="submit" className="button primary" disabled={create.isPending} data-testid="feedback-submit">
          Send
        </button>
      </div>
    </form>
  );
}

const SOURCES = { HUMAN: User, LLM_JUDGE: Bot, CODE: Code };

function AssessmentList({ traceId, assessments }: {
  traceId: string;
  assessments: readonly Assessment[];
}): ReactNode {
  const remove = useDeleteAssessment(traceId);
  const newestFirst = assessments.toSorted((a, b) => (a.create_time < b.create_time ? 1 : -1));
  return (
    <ul className="assessments" aria-label="Assessments">
      {newestFirst.map((assessment) => {
        const Icon = SOURCES[assessment.source.source_type];
        const error = assessment.feedback?.error;
        return (
          <li key={assessment.assessment_id} className={assessment.valid ? "" : "overridden"} data-testid="assessment">
            <header>
              <strong>{assessment.name}</strong>
              <AssessmentValue assessment={assessment} />
              <span className="spacer" />
              <button
                type="button"
                className="button small icon quiet"
                aria-label={`Delete ${assessment.name}`}
                title="Delete"
                disabled={remove.isPending}
                onClick={() => remove.mutate(assessment.assessment_id)}
              >
                <Trash2 size={13} aria-hidden />
              </button>
            </header>
            {assessment.rationale && <p>{assessment.rationale}</p>}
            {error && <p className="assessment-error">{error.error_message ?? error.error_code}</p>}
            <footer>
              <Icon size={12} aria-hidden /> {assessment.source.source_id} ·{" "}
              {formatAge(Date.parse(assessment.create_time))}
              {assessment.expectation && " · expectation"}
              {assessment.span_id && " · on one span"}
              {!assessment.valid && " · overridden"}
            </footer>
          </li>
        );
      })}
    </ul>
  );
}

function AssessmentValue({ assessment }: { assessment: Assessment }): ReactNode {
  const value = assessment.feedback?.value;
  if (value === true) return <ThumbsUp size={13} className="up" aria-label="Thumbs up" />;
  if (value === false) return <ThumbsDown size={13} className="down" aria-label="Thumbs down" />;
  return (
    <span className="chip">
      <span>{describeValue(assessment)}</span>
    </span>
  );
}
