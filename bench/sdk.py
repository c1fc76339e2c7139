"""What tracing costs: our @trace beside the bare OpenTelemetry SDK, and the time of the import.

Both record the same ten nested spans with the same inputs and outputs, in interleaved rounds, and
export nowhere. Exit code 1 when a span costs more than 1.5 times bare, or the import 150 ms.
"""

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tracelake.sdk.client import PROCESS, Client
from tracelake.sdk.decorator import trace
from tracelake.sdk.settings import load_settings

ROUNDS = 15
TRACES = 200
DEPTH = 10
RATIO_BAR = 1.5
IMPORT_BAR_MS = 150.0

MESSAGES = [
    {"role": "system", "content": "You are the agent of an airline. " * 8},
    {"role": "user", "content": "I would like to move my flight to Seattle to the next day."},
]
ANSWER = {"role": "assistant", "content": "Your flight was moved to May 21st. " * 4, "tokens": 96}


class Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def bare(messages: list[dict[str, str]], depth: int) -> dict[str, Any]:
    with TRACER.start_as_current_span("answer") as span:
        span.set_attribute("inputs", json.dumps({"messages": messages, "depth": depth}))
        result = ANSWER if depth == 1 else bare(messages, depth - 1)
        span.set_attribute("outputs", json.dumps(result))
        return result


def provider() -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(BatchSpanProcessor(Nowhere()))
    return made


TRACER = provider().get_tracer("bench")


@trace(span_type="AGENT")
def ours(messages: list[dict[str, str]], depth: int) -> dict[str, Any]:
    return ANSWER if depth == 1 else ours(messages, depth - 1)


def span_us(function: Callable[..., Any]) -> float:
    """Microseconds per span of one round."""
    gc.collect()
    began = time.perf_counter()
    for _ in range(TRACES):
        function(MESSAGES, DEPTH)
    return (time.perf_counter() - began) / (TRACES * DEPTH) * 1e6


def fresh_ms(statement: str) -> float:
    """Milliseconds of a statement in a fresh interpreter: the median of seven."""
    code = (
        f"import time; began = time.perf_counter(); {statement};"
        " print((time.perf_counter() - began) * 1000)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(7)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> int:
    client = Client(load_settings({"raise_errors": "true"}), deliver=lambda batch: None)
    PROCESS.use(client)
    for function in (bare, ours):
        span_us(function)
    rounds = [(span_us(bare), span_us(ours)) for _ in range(ROUNDS)]
    bare_us, ours_us = (statistics.median(each) for each in zip(*rounds, strict=True))
    ratio = statistics.median(ours / bare for bare, ours in rounds)
    import_ms = fresh_ms("import tracelake")
    use_ms = fresh_ms("import tracelake; tracelake.trace")
    print(f"bare OpenTelemetry SDK    {bare_us:8.1f} us a span")
    print(f"tracelake @trace          {ours_us:8.1f} us a span")
    print(f"ratio (median of rounds)  {ratio:8.2f}    bar {RATIO_BAR}")
    print(f"import tracelake          {import_ms:8.1f} ms   bar {IMPORT_BAR_MS:.0f}")
    print(f"import and first use      {use_ms:8.1f} ms")
    return int(ratio > RATIO_BAR or import_ms >= IMPORT_BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
