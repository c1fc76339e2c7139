import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";
import { traceQuery } from "./get-trace";

export type NewFeedback = { thumbsUp: boolean; comment: string };

/** Feedback of the person at the screen, under the name `user_feedback`, on the whole trace. */
export function useCreateFeedback(traceId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ thumbsUp, comment }: NewFeedback) =>
      unwrap(
        api.POST("/api/v1/traces/{trace_id}/assessments", {
          params: { path: { trace_id: traceId } },
          body: {
            name: "user_feedback",
            feedback: { value: thumbsUp },
            source: { source_type: "HUMAN", source_id: "ui" },
            ...(comment ? { rationale: comment } : {}),
          },
        }),
      ),
    onSuccess: async (created) => {
      cache.setQueryData(
        traceQuery(traceId).queryKey,
        (trace) => trace && { ...trace, assessments: [...trace.assessments, created] },
      );
      await cache.invalidateQueries({ queryKey: ["trace", traceId] });
    },
  });
}
