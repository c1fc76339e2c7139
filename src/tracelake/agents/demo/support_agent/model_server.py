"""An OpenAI-compatible server for chat completions that answers by the rules of `rules.py`.

It stands in for a provider, so that the demo needs no key and no network. It says what it is: the
model is called tracelake-demo-rules. Token counts are estimates, four characters to a token.
"""

import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import rules

MODEL = "tracelake-demo-rules"
_PIECE_DELAY_S = 0.01
"""So that a stream looks like one."""


def start() -> str:
    """Serve on a free port of 127.0.0.1 as long as this process lives; the base URL for clients."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, name="rule-based-model", daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients close the connection as soon as they have read the end of a stream.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: every call is a span in the agent's trace already."""

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._refuse(404, f"there is no {self.path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/v1/chat/completions":
            self._refuse(404, f"there is no {self.path}")
            return
        try:
            request: dict[str, Any] = json.loads(body)
            reply = rules.reply(request["messages"])
        except (ValueError, KeyError, TypeError) as error:
            self._refuse(400, f"this is no chat completion request: {error!r}")
            return
        if request.get("stream"):
            self._stream(_chunks(request, reply))
        else:
            self._answer(200, _completion(request, reply))

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def _stream(self, chunks: Iterator[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self._write(f"data: {json.dumps(chunk)}\n\n")
            time.sleep(_PIECE_DELAY_S)
        self._write("data: [DONE]\n\n")
        self._write("")

    def _write(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _completion(request: dict[str, Any], reply: rules.Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = _tool_calls(reply)
    return {
        **_head("chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply)}],
        "usage": _usage(request, reply),
    }


def _chunks(request: dict[str, Any], reply: rules.Reply) -> Iterator[dict[str, Any]]:
    head = _head("chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for position, call in enumerate(_tool_calls(reply)):
        yield chunk({"tool_calls": [{"index": position, **call}]})
    words = reply.text.split(" ") if reply.text else []
    for position, word in enumerate(words):
        yield chunk({"content": word if position == len(words) - 1 else word + " "})
    yield chunk({}, _finish(reply))
    options: dict[str, Any] = request.get("stream_options") or {}
    if options.get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(request, reply)}


def _head(kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
    }


def _tool_calls(reply: rules.Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:12]}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for call in reply.calls
    ]


def _finish(reply: rules.Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _usage(request: dict[str, Any], reply: rules.Reply) -> dict[str, int]:
    asked = len(json.dumps([request["messages"], request.get("tools")])) // 4 + 1
    calls = [[call.name, call.arguments] for call in reply.calls]
    said = (len(reply.text) + (len(json.dumps(calls)) if calls else 0)) // 4 + 1
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
