"""What the stock client of MLflow does to a server, run in the environment that has it.

    python client_load.py http://127.0.0.1:5050 --seconds 10 --threads 16

Prints one line of JSON. It imports nothing of ours: the peer's environment has none of it.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import threading
import time
from typing import Any

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


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
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
    load = Load(arguments.threads)
    experiment_id: str = load.mlflow.set_experiment(f"load-{time.time_ns()}").experiment_id
    total, _ = load.log_for(3)  # what is done once is done
    before_s = cpu_s()
    logged, took_s = load.log_for(arguments.seconds)
    client_cores = (cpu_s() - before_s) / took_s
    total += logged
    while total < PAGE:
        total += load.log_for(5)[0]
    times = [load.search(experiment_id) for _ in range(arguments.searches)]
    told = {
        "traces_per_s": logged / took_s,
        "client_cores": client_cores,
        "search_s": statistics.median(times),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
