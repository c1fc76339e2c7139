"""A real OTLP and REST receiver on a free port: keeps what arrived, and can misbehave on demand."""

import gzip
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


def python_value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [python_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return {each.key: python_value(each.value) for each in value.kvlist_value.values}
        case None:
            return None
        case kind:
            return getattr(value, kind)


@dataclass
class Arrived:
    """One span as it came over the wire."""

    experiment: str
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[str]
    status: int
    status_message: str

    @property
    def inputs(self) -> Any:
        return json.loads(self.attributes["mlflow.spanInputs"])

    @property
    def outputs(self) -> Any:
        return json.loads(self.attributes["mlflow.spanOutputs"])


@dataclass
class Receiver:
    """`answers` are (status, headers) given to the next requests instead of taking them;
    `hang_s` holds every answer back, until `released` is set."""

    spans: list[Arrived] = field(default_factory=list[Arrived])
    requests: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list[Any])
    experiments: dict[str, str] = field(default_factory=lambda: {"Default": "0"})
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list[Any])
    rest: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict[Any, Any])
    hang_s: float = 0.0
    max_body_bytes: int = 1 << 40
    accept_any_write: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(_Handler):
            owner = receiver

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def named(self, name: str) -> Arrived:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def take(self, experiment: str, body: bytes) -> None:
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {a.key: python_value(a.value) for a in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    self.spans.append(
                        Arrived(
                            experiment,
                            "tr-" + span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex() or None,
                            span.name,
                            {a.key: python_value(a.value) for a in span.attributes},
                            resource,
                            [
                                (e.name, {a.key: python_value(a.value) for a in e.attributes})
                                for e in span.events
                            ],
                            [link.span_id.hex() for link in span.links],
                            span.status.code,
                            span.status.message,
                        )
                    )


class _Handler(BaseHTTPRequestHandler):
    owner: Receiver
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the tests read `requests` instead."""

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _json(self, shape: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(shape).encode(), {"Content-Type": "application/json"})

    def _handle(self) -> None:
        owner = self.owner
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
        otlp = self.path == "/v1/traces"
        told: Any = len(raw) if otlp else json.loads(body or b"null")
        owner.requests.append((self.command, self.path, dict(self.headers), told))
        if owner.hang_s:
            owner.released.wait(owner.hang_s)
        if owner.answers:
            self._answer(owner.answers[0][0], headers=owner.answers.pop(0)[1])
        elif otlp and len(raw) > owner.max_body_bytes:
            self._answer(413)
        elif otlp:
            owner.take(self.headers.get("x-mlflow-experiment-id") or "", body)
            self._answer(200)
        elif (self.command, self.path.partition("?")[0]) in owner.rest:
            status, shape = owner.rest[self.command, self.path.partition("?")[0]]
            self._json(shape, status)
        elif self.path.startswith("/api/v1/experiments"):
            self._experiments(told)
        elif owner.accept_any_write:
            self._json({})
        else:
            self._json({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not here"}, 404)

    def _experiments(self, told: Any) -> None:
        owner = self.owner
        if self.command == "POST":
            if told["name"] in owner.experiments:
                self._json({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "taken"}, 409)
                return
            owner.experiments[told["name"]] = str(len(owner.experiments))
            self._json({"experiment_id": owner.experiments[told["name"]], "name": told["name"]})
            return
        listed = [{"experiment_id": i, "name": n} for n, i in owner.experiments.items()]
        self._json({"experiments": listed, "next_page_token": None})

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - names of http.server
