// The server's nouns under the names the pages use; the shapes are generated from openapi.json.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Experiment = Schemas["Experiment"];
export type ExperimentPage = Schemas["ExperimentPage"];
export type TraceInfo = Schemas["TraceInfo"];
export type TracePage = Schemas["TracePage"];
export type TraceState = TraceInfo["state"];
export type Span = Schemas["Span"];
export type SpanPage = Schemas["SpanPage"];
export type SpanEvent = NonNullable<Span["events"]>[number];
export type Assessment = Schemas["Assessment"];
export type TokenUsage = NonNullable<TraceInfo["token_usage"]>;
export type Cost = NonNullable<TraceInfo["cost"]>;
export type Session = Schemas["Session"];
export type SessionPage = Schemas["SessionPage"];
