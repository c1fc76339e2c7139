import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";

export function useDeleteAssessment(traceId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (assessmentId: string) =>
      unwrap(
        api.DELETE("/api/v1/traces/{trace_id}/assessments/{assessment_id}", {
          params: { path: { trace_id: traceId, assessment_id: assessmentId } },
        }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["trace", traceId] }),
  });
}
