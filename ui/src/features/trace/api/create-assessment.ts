import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import { traceQuery } from "./get-trace";

export type NewFeedback = { thumbsUp: boolean; comment: string };

const NAME = "user_feedback";
const SOURCE = "ui";

/** Feedback of the person at the screen, under the name `user_feedback`, on the whole trace. A second thought replaces the first. */
export function useCreateFeedback(traceId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ thumbsUp, comment }: NewFeedback) => {
      const earlier = cache
        .getQueryData(traceQuery(traceId).queryKey)
        ?.assessments.findLast((one) => one.valid && one.name === NAME && one.source.source_id === SOURCE);
      return unwrap(
        api.POST("/api/v1/traces/{trace_id}/assessments", {
          params: { path: { trace_id: traceId } },
          body: {
            name: NAME,
            feedback: { value: thumbsUp },
            source: { source_type: "HUMAN", source_id: SOURCE },
            ...(earlier ? { overrides: earlier.assessment_id } : {}),
            ...(comment ? { rationale: comment } : {}),
          },
        }),
      );
    },
    onSuccess: async (created) => {
      cache.setQueryData(
        traceQuery(traceId).queryKey,
        (trace) =>
          trace && {
            ...trace,
            assessments: [...trace.assessments.filter((one) => one.assessment_id !== created.overrides), created],
          },
      );
      await cache.invalidateQueries({ queryKey: ["trace", traceId] });
    },
  });
}
