"""A small OpenAI-compatible chat server, streaming too, for the real `openai` client."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def start() -> tuple[ThreadingHTTPServer, str]:
    """The running server and its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}/v1"


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": "c-1", "object": kind, "created": 1, "model": model}


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = f"echo: {asked['messages'][-1]['content']}"
        if asked.get("stream"):
            self._stream(asked["model"], text)
            return
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        head = _head("chat.completion", asked["model"])
        self._send("application/json", json.dumps(head | {"choices": [choice], "usage": USAGE}))

    def _stream(self, model: str, text: str) -> None:
        head = _head("chat.completion.chunk", model)
        deltas: list[Any] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word + " "} for word in text.split()]
        chunks = [
            head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            for delta in deltas
        ]
        last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
        chunks.append(head | {"choices": [last]})
        chunks.append(head | {"choices": [], "usage": USAGE})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self._send("text/event-stream", "".join([*lines, "data: [DONE]\n\n"]))

    def _send(self, kind: str, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
