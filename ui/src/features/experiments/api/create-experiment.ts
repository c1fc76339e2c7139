import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "@/shared/api/client";

export function useCreateExperiment() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => unwrap(api.POST("/api/v1/experiments", { body: { name } })),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["experiments"] }),
  });
}
