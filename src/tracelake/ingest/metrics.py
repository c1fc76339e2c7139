"""What an operator can see of ingest in /metrics."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tracelake.ingest.outcome import Outcome

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class IngestMetrics:
    """Counters, gauges and histograms; each is written where its fact is known."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, told: str) -> Histogram:
            return Histogram(name, told, buckets=_BUCKETS_S, registry=registry)

        self.pending_bytes = Gauge(
            "tracelake_ingest_pending_bytes", "Bytes of requests under way", registry=registry
        )
        self.pending_requests = Gauge(
            "tracelake_ingest_pending_requests", "Requests under way", registry=registry
        )
        self.room_bytes = Gauge(
            "tracelake_ingest_room_bytes",
            "Bytes that may be under way now; less while answers take long",
            registry=registry,
        )
        self.requests = Counter(
            "tracelake_ingest_requests",
            "Requests by protocol and outcome",
            ["protocol", "outcome"],
            registry=registry,
        )
        self.stored_spans = Counter(
            "tracelake_ingest_spans", "Spans stored durably", registry=registry
        )
        self.refused_spans = Counter(
            "tracelake_ingest_refused_spans",
            "Spans that cannot be stored, by what was wrong with them",
            ["reason"],
            registry=registry,
        )
        self.acknowledge_seconds = histogram(
            "tracelake_ingest_acknowledge_seconds",
            "From the last byte of a body until its spans were durable",
        )
        self.commit_seconds = histogram(
            "tracelake_ingest_commit_seconds",
            "The part of it that was waiting for a commit and the commit itself",
        )
        self.processes = Gauge(
            "tracelake_ingest_processes", "Processes that decode and commit", registry=registry
        )
        self.process_restarts = Counter(
            "tracelake_ingest_process_restarts",
            "Ingest processes that died and were started again",
            registry=registry,
        )

    def count(self, protocol: str, outcome: Outcome, acknowledge_s: float) -> None:
        """A request that was taken."""
        self.requests.labels(protocol, "stored").inc()
        self.stored_spans.inc(outcome.stored)
        for reason, spans in outcome.refused.reasons.items():
            self.refused_spans.labels(reason).inc(spans)
        self.acknowledge_seconds.observe(acknowledge_s)
        self.commit_seconds.observe(outcome.commit_s)
