// The server's nouns under the names the pages use; the shapes are generated from openapi.json.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Experiment = Schemas["ExperimentShape"];
export type ExperimentPage = Schemas["ExperimentList"];
export type TraceInfo = Schemas["TraceShape"];
export type TracePage = Schemas["TraceList"];
export type TraceState = TraceInfo["state"];
export type Span = Schemas["SpanShape"];
/** The tree of a trace in columns, a page of it. */
export type Skeleton = Schemas["SkeletonShape"];
export type SpanEvent = NonNullable<Span["events"]>[number];
export type Assessment = Schemas["AssessmentShape"];
export type TokenUsage = NonNullable<TraceInfo["token_usage"]>;
export type Cost = NonNullable<TraceInfo["cost"]>;
/** A span without its payloads: what the tree needs. */
export type SpanHead = Pick<
  Span,
  | "trace_id"
  | "span_id"
  | "parent_span_id"
  | "name"
  | "span_type"
  | "start_time_unix_nano"
  | "end_time_unix_nano"
  | "status"
  | "model"
  | "provider"
> & {
  token_usage: Pick<TokenUsage, "input_tokens" | "output_tokens" | "total_tokens"> | null;
  cost: Pick<Cost, "total_cost"> | null;
};
export type Session = Schemas["SessionShape"];
export type SessionPage = Schemas["SessionList"];
