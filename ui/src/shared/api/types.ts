// The server's nouns under the names the pages use; the shapes are generated from openapi.json.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Experiment = Schemas["ExperimentShape"];
export type ExperimentPage = Schemas["ExperimentList"];
export type TraceInfo = Schemas["TraceShape"];
export type TracePage = Schemas["TraceList"];
export type TraceState = TraceInfo["state"];
/** A span without its payloads: what the tree needs. */
export type SpanHead = Schemas["SpanHeadShape"];
export type Span = Schemas["SpanShape"];
export type SpanPage = Schemas["SpanList"];
export type SpanEvent = NonNullable<Span["events"]>[number];
export type Assessment = Schemas["AssessmentShape"];
export type TokenUsage = NonNullable<TraceInfo["token_usage"]>;
export type Cost = NonNullable<TraceInfo["cost"]>;
export type Session = Schemas["SessionShape"];
export type SessionPage = Schemas["SessionList"];
