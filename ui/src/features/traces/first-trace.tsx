// What an empty experiment shows: how to send it a first trace. The list flips by itself.
import { type ReactNode, useState } from "react";
import { CopyButton } from "@/shared/components/copy-button";
import { Tabs } from "@/shared/components/tabs";

type Way = "python" | "otel" | "curl";
const WAYS: readonly { key: Way; label: string }[] = [
  { key: "python", label: "Python" },
  { key: "otel", label: "Any OpenTelemetry SDK" },
  { key: "curl", label: "curl" },
];

type Props = { experimentId: string; experimentName: string; live: boolean };

export function FirstTrace({ experimentId, experimentName, live }: Props): ReactNode {
  const [way, setWay] = useState<Way>("python");
  const code = writeCode(way, location.origin, experimentId, experimentName);
  return (
    <div className="first-trace" data-testid="first-trace">
      <div className="first-trace-card">
        <h2>Send the first trace</h2>
        <p>
          {live
            ? "This page shows it within two seconds of its arrival."
            : "Live is paused: resume it to see the trace arrive."}
        </p>
        <div className="first-trace-code">
          <Tabs label="Ways to send a trace" tabs={WAYS} selected={way} onSelect={setWay}>
            <div className="first-trace-copy">
              <CopyButton text={code} label="Copy the code" caption="Copy" />
            </div>
            <pre className="code-block">{code}</pre>
          </Tabs>
        </div>
        {live && (
          <p className="first-trace-wait" role="status">
            <span className="pulse" aria-hidden /> Waiting for a trace
          </p>
        )}
      </div>
    </div>
  );
}

function writeCode(way: Way, origin: string, experimentId: string, name: string): string {
  if (way === "otel") {
    return [
      `export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=${origin}/v1/traces`,
      "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
      `export OTEL_EXPORTER_OTLP_TRACES_HEADERS=x-mlflow-experiment-id=${experimentId}`,
    ].join("\n");
  }
  if (way === "curl") return writeCurl(origin, experimentId);
  return [
    "import tracelake",
    "",
    `tracelake.set_tracking_uri("${origin}")`,
    `tracelake.set_experiment(${JSON.stringify(name)})`,
    "tracelake.autolog()  # every supported library that is installed",
    "",
    "",
    '@tracelake.trace(span_type="AGENT")',
    "def answer(question: str) -> str:",
    '    return "It is raining in Oslo."',
    "",
    "",
    'print(answer("What is the weather in Oslo?"))',
  ].join("\n");
}

function writeCurl(origin: string, experimentId: string): string {
  return [
    `now=$(date +%s)000000000`,
    `curl ${origin}/v1/traces \\`,
    `  -H 'content-type: application/json' -H 'x-mlflow-experiment-id: ${experimentId}' \\`,
    `  -d '{"resourceSpans": [{"scopeSpans": [{"spans": [{`,
    `        "traceId": "'$(openssl rand -hex 16)'", "spanId": "'$(openssl rand -hex 8)'",`,
    `        "name": "hello", "startTimeUnixNano": "'$now'", "endTimeUnixNano": "'$now'"}]}]}]}'`,
  ].join("\n");
}
