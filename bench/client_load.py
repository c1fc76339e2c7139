"""What the stock client of MLflow does to a server, run in the environment that has it.

    python client_load.py http://127.0.0.1:5050 --seconds 10 --threads 16

The same is then done with a server that takes no time at all, which is what the client can do by
itself; and what a search asked is asked once more without the client, which is what is left of it.
Prints one line of JSON. It imports nothing of ours: the peer's environment has none of it.
"""

import argparse
import http.client
import importlib
import json
import os
import resource
import statistics
import threading
import time
from typing import Any
from urllib.parse import urlsplit

SPANS = 10
PAGE = 100


class Load:
    def __init__(self, threads: int) -> None:
        self.mlflow: Any = importlib.import_module("mlflow")
        self._threads = threads

    def log_one(self, number: int) -> None:
        start = self.mlflow.start_span
        with start(f"agent {number % 7}", span_type="AGENT") as root:
            root.set_inputs({"messages": [{"role": "user", "content": f"question {number} " * 20}]})
            for n in range(SPANS - 1):
                with start(f"step {n}", span_type="TOOL" if n % 2 else "LLM") as span:
                    span.set_inputs({"query": f"look for {n} " * 30})
                    span.set_outputs({"found": [f"document {n}.{k} " * 20 for k in range(3)]})
            root.set_outputs({"answer": f"answer {number} " * 20})

    def log_for(self, seconds: float) -> tuple[int, float]:
        """Traces logged, and how long it took."""
        until = time.monotonic() + seconds
        counts = [0] * self._threads

        def work(thread: int) -> None:
            while time.monotonic() < until:
                self.log_one(counts[thread])
                counts[thread] += 1

        threads = [threading.Thread(target=work, args=(n,)) for n in range(self._threads)]
        began = time.monotonic()
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return sum(counts), time.monotonic() - began

    def search(self, experiment_id: str) -> float:
        """Seconds of a search with all spans."""
        began = time.monotonic()
        found = self.mlflow.search_traces(
            locations=[experiment_id], return_type="list", max_results=PAGE
        )
        took = time.monotonic() - began
        assert len(found) == PAGE
        assert all(len(trace.data.spans) == SPANS for trace in found)
        return took


class Transport:
    """Stands where the client's requests leave it: lets them through, keeps what was asked and
    answered, or answers at once."""

    def __init__(self) -> None:
        self._adapter: Any = importlib.import_module("requests.adapters").HTTPAdapter
        self._response: Any = importlib.import_module("requests").Response
        self._send = self._adapter.send
        self.kept: dict[tuple[str, str, bytes], bytes] = {}

    def keep(self) -> None:
        def send(adapter: Any, request: Any, **options: Any) -> Any:
            response = self._send(adapter, request, **options)
            self.kept[_key(request)] = response.content
            return response

        self._adapter.send = send

    def answer_at_once(self) -> None:
        """What was kept; a trace that starts as it was sent, and nothing to its spans."""

        def send(_: Any, request: Any, **options: Any) -> Any:
            response = self._response()
            response.status_code, response.url, response.request = 200, request.url, request
            response.headers["Content-Type"] = "application/json"
            response._content = self._answer(request)
            return response

        self._adapter.send = send

    def leave(self) -> None:
        self._adapter.send = self._send

    def _answer(self, request: Any) -> bytes:
        path = urlsplit(str(request.url)).path
        if path.endswith("/v1/traces"):
            return b""
        if path.endswith("/mlflow/traces"):
            started = json.loads(_key(request)[2])
            # Without it the client sends the spans once more, as a file.
            started["trace"]["trace_info"]["tags"]["mlflow.trace.spansLocation"] = "TRACKING_STORE"
            return json.dumps(started).encode()
        return self.kept[_key(request)]

    def ask_again(self, url: str) -> float:
        """Seconds for all that was kept, one after the other over one connection."""
        place = urlsplit(url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        began = time.monotonic()
        for method, asked, body in self.kept:
            headers = {"Content-Type": "application/json"} if body else {}
            at = asked.removeprefix(f"{place.scheme}://{place.netloc}")
            connection.request(method, at, body or None, headers)
            connection.getresponse().read()
        took = time.monotonic() - began
        connection.close()
        return took


def _key(request: Any) -> tuple[str, str, bytes]:
    body = request.body or b""
    return request.method, request.url, body.encode() if isinstance(body, str) else body


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--warm-up", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--searches", type=int, default=5)
    arguments = parser.parse_args()
    os.environ |= {
        "MLFLOW_TRACKING_URI": arguments.url,
        "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    load, transport = Load(arguments.threads), Transport()
    experiment_id: str = load.mlflow.set_experiment(f"load-{time.time_ns()}").experiment_id
    total, _ = load.log_for(arguments.warm_up)
    rate, cores = _rate(load, arguments.seconds)
    while total < PAGE:
        total += load.log_for(5)[0]
    search_s = _middle(load, experiment_id, arguments.searches)
    transport.keep()
    load.search(experiment_id)
    transport.leave()
    asked_s = [transport.ask_again(arguments.url) for _ in range(arguments.searches)]
    transport.answer_at_once()
    told = {
        "traces_per_s": rate,
        "client_cores": cores,
        "traces_alone_per_s": _rate(load, arguments.seconds)[0],
        "search_s": search_s,
        "search_alone_s": _middle(load, experiment_id, arguments.searches),
        "asked_s": statistics.median(asked_s),
        "asked": len(transport.kept),
    }
    print(json.dumps(told))


def _rate(load: Load, seconds: float) -> tuple[float, float]:
    """Traces a second, and how much of a core the client took."""
    before_s = cpu_s()
    logged, took_s = load.log_for(seconds)
    return logged / took_s, (cpu_s() - before_s) / took_s


def _middle(load: Load, experiment_id: str, times: int) -> float:
    return statistics.median(load.search(experiment_id) for _ in range(times))


if __name__ == "__main__":
    main()
