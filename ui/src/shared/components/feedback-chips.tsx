import { ThumbsDown, ThumbsUp } from "lucide-react";
import type { ReactNode } from "react";
import type { Assessment } from "../api/types";
import { toOneLine } from "../format";
import "./feedback-chips.css";

/** A summary of the valid assessments: thumbs counted, the others by name and value. */
export function FeedbackChips({ assessments, limit }: {
  assessments: readonly Assessment[];
  limit: number;
}): ReactNode {
  const { up, down, others } = countFeedback(assessments);
  return (
    <span className="feedback-chips">
      {up > 0 && (
        <span className="thumb up" title={`${up} thumbs up`}>
          <ThumbsUp size={13} aria-label="Thumbs up" /> {up > 1 && up}
        </span>
      )}
      {down > 0 && (
        <span className="thumb down" title={`${down} thumbs down`}>
          <ThumbsDown size={13} aria-label="Thumbs down" /> {down > 1 && down}
        </span>
      )}
      {others.slice(0, limit).map((assessment) => (
        <span key={assessment.assessment_id} className="chip" title={describe(assessment)}>
          <span>{describe(assessment)}</span>
        </span>
      ))}
      {others.length > limit && <span className="more">+{others.length - limit}</span>}
    </span>
  );
}

export function countFeedback(assessments: readonly Assessment[]): {
  up: number;
  down: number;
  others: Assessment[];
} {
  const counted = { up: 0, down: 0, others: [] as Assessment[] };
  for (const assessment of assessments) {
    if (!assessment.valid) continue;
    const value = assessment.feedback?.value;
    const byPerson = assessment.source.source_type === "HUMAN";
    if (byPerson && value === true) counted.up += 1;
    else if (byPerson && value === false) counted.down += 1;
    else counted.others.push(assessment);
  }
  return counted;
}

export function describeValue(assessment: Assessment): string {
  if (assessment.feedback?.error) return "failed";
  const value = assessment.feedback ? assessment.feedback.value : assessment.expectation?.value;
  return typeof value === "string" ? toOneLine(value, 120) : toOneLine(JSON.stringify(value), 120);
}

function describe(assessment: Assessment): string {
  return `${assessment.name} ${describeValue(assessment)}`;
}
