"""Tracelake, as `tracelake server` runs it: on SQLite, or processes on one PostgreSQL."""

import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from systems.base import System, ask, free_port, sqlite_bytes
from systems.postgres import Postgres

_LAG: Final = "tracelake_index_lag_traces"
_LAG_PATIENCE_S: Final = 3600.0
_COUNT_PAGE: Final = {"aggregations": ["COUNT"], "metric": "trace_count"}


class Tracelake(System):
    """Its own API is the only thing asked, so a change of the store changes nothing here."""

    def __init__(self, folder: Path, postgres: Postgres | None = None, processes: int = 1) -> None:
        """`processes` servers, as they come, on one PostgreSQL."""
        super().__init__(folder)
        self._postgres = postgres
        self._server_count = processes
        self.store_url = ""
        engine = "PostgreSQL" if postgres else "SQLite"
        self.name = f"ours, {engine}" + (f", {processes} servers" if postgres else "")

    def start(self) -> None:
        if self._postgres is not None and not self.store_url:
            self.store_url = self._postgres.new_database(f"tracelake_{self.folder.name}")
        for number in range(self._server_count):
            port = free_port()
            environment = {
                "TRACELAKE_HOME": str(self.folder / f"home{number}"),
                "TRACELAKE_LAKE_SYNC_SECONDS": "0",
                "TRACELAKE_OTLP_GRPC_PORT": "0",
                "TRACELAKE_OTLP_DEFAULT_EXPERIMENT": "0",
                "TRACELAKE_STORE_URL": self.store_url,
            }
            command = [sys.executable, "-m", "tracelake", "server", "--port", str(port)]
            self._launch(command, environment, "/health", port)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"x-mlflow-experiment-id": "0"}

    def version(self) -> str:
        return version("tracelake")

    def call(self, path: str, body: Mapping[str, Any] | None = None, timeout_s: float = 60) -> Any:
        """What the route answers; None for 404. With a body it is a POST."""
        told = None if body is None else json.dumps(body).encode()
        answer = ask(self.url + path, told, timeout_s)
        return None if answer is None else json.loads(answer)

    def count_traces(self) -> int:
        points = self.call("/api/v1/metrics", _COUNT_PAGE)["data_points"]
        return int(points[0]["values"]["COUNT"]) if points else 0

    def is_readable(self, trace_id: str, spans: int) -> bool:
        page = self.call(f"/api/v1/traces/tr-{trace_id}/spans?view=skeleton")
        return page is not None and len(page["span_id"]) == spans

    def index_lag(self) -> float:
        """Traces that full text does not know yet; 0 where the server tells no lag."""
        text = (ask(self.url + "/metrics") or b"").decode()
        lags = (line.split() for line in text.splitlines() if line.startswith(_LAG))
        return sum(float(value) for _name, value in lags)

    def settle(self) -> None:
        until = time.monotonic() + _LAG_PATIENCE_S
        while self.index_lag() > 0:
            if time.monotonic() > until:
                raise RuntimeError("the index did not catch up")
            time.sleep(0.2)

    def disk_bytes(self) -> int:
        if self._postgres is not None:
            return self._postgres.database_bytes(self.store_url) + self._files("lake", "run")
        sqlite_bytes(self.folder / "home0" / "tracelake.db")
        return self._files("lake", "run")

    def _files(self, *without: str) -> int:
        """Everything in the home folders, payload files too, but for copies and run records."""
        total = 0
        for home in self.folder.glob("home*"):
            for file in home.rglob("*"):
                if file.is_file() and file.relative_to(home).parts[0] not in without:
                    total += file.stat().st_size
        return total
