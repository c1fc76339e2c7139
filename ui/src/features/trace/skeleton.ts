// From the columns in which a tree comes to its spans.
import type { Skeleton, SpanHead } from "@/shared/api/types";

export function readSkeleton(traceId: string, page: Skeleton): SpanHead[] {
  const word = (place: number | null | undefined): string | null =>
    place === null || place === undefined ? null : (page.words[place] ?? null);
  return page.span_id.map((spanId, n) => {
    const startNs = page.base_ns + (page.start_ns[n] ?? 0);
    const durationNs = page.duration_ns[n] ?? null;
    const totalTokens = page.total_tokens[n] ?? null;
    const totalCost = page.total_cost[n] ?? null;
    return {
      trace_id: traceId,
      span_id: spanId,
      parent_span_id: page.parent_span_id[n] ?? null,
      name: word(page.name[n]) ?? "",
      span_type: word(page.span_type[n]) ?? "",
      start_time_unix_nano: startNs,
      end_time_unix_nano: durationNs === null ? null : startNs + durationNs,
      status: (word(page.status[n]) ?? "UNSET") as SpanHead["status"],
      model: word(page.model[n]),
      provider: word(page.provider[n]),
      token_usage:
        totalTokens === null
          ? null
          : {
              input_tokens: page.input_tokens[n] ?? 0,
              output_tokens: page.output_tokens[n] ?? 0,
              total_tokens: totalTokens,
            },
      cost: totalCost === null ? null : { total_cost: totalCost },
    };
  });
}
