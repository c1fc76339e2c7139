"""The MLflow tracking server, from its package: `mlflow server`, four workers by default.

Spans sent by OTLP alone make the trace's row too: no start-trace call is needed before a trace can
be searched and read back. It is counted in the database and read back through `traces/get`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from systems.base import System, ask, count_rows, free_port, sqlite_bytes
from systems.peers import Peer
from systems.postgres import Postgres

PEER = Peer("mlflow", ("mlflow>=3,<4", "psycopg[binary]"))
_COUNT = "SELECT count(*) FROM trace_info"


class Mlflow(System):
    warm_seconds = 60.0  # Its workers take seconds a request for most of their first minute.

    def __init__(self, folder: Path, peers: Path, postgres: Postgres | None = None) -> None:
        super().__init__(folder)
        self._bin = PEER.install(peers)
        self._postgres = postgres
        self._database = folder / "mlflow.db"
        self._store_url = f"sqlite:///{self._database}"
        self.name = f"MLflow, {'PostgreSQL' if postgres else 'SQLite'}"

    def start(self) -> None:
        if self._postgres is not None:
            self._store_url = self._postgres.new_database(f"mlflow_{self.folder.name}")
        port = free_port()
        command = [
            str(self._bin / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
            "--backend-store-uri", self._store_url,
        ]  # fmt: skip
        environment = {
            # Its own bin first: the server starts further programs of its environment by name.
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self._launch(command, environment, "/health", port)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"x-mlflow-experiment-id": "0"}

    def version(self) -> str:
        return PEER.version(self._bin)

    def count_traces(self) -> int:
        if self._postgres is not None:
            return int(self._postgres.ask(self._store_url, _COUNT))
        return count_rows(self._database, _COUNT)

    def is_readable(self, trace_id: str, spans: int) -> bool:
        path = f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}&allow_partial=false"
        answer = ask(self.url + path)
        if answer is None:
            return False
        trace = json.loads(answer)["trace"]
        return len(trace.get("spans") or ()) == spans

    def disk_bytes(self) -> int:
        if self._postgres is not None:
            return self._postgres.database_bytes(self._store_url)
        return sqlite_bytes(self._database)
