"""Arize Phoenix, from its package: `phoenix serve` on SQLite.

It answers a span request once the spans are in its queue, so acknowledged says little: its rate is
rows that can be read, over the time until the last of them could.
"""

import json
from pathlib import Path
from urllib.parse import quote

from systems.base import System, ask, count_rows, free_port, sqlite_bytes
from systems.peers import Peer

PEER = Peer("arize-phoenix", ("arize-phoenix",))


class Phoenix(System):
    name = "Phoenix, SQLite"
    still_seconds = 30.0

    def __init__(self, folder: Path, peers: Path) -> None:
        super().__init__(folder)
        self._bin = PEER.install(peers)
        self._database = folder / "phoenix.db"

    def start(self) -> None:
        port = free_port()
        environment = {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "PHOENIX_WORKING_DIR": str(self.folder),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        self._launch([str(self._bin / "phoenix"), "serve"], environment, "/healthz", port)

    def version(self) -> str:
        return PEER.version(self._bin)

    def count_traces(self) -> int:
        return count_rows(self._database, "SELECT count(*) FROM traces")

    def is_readable(self, trace_id: str, spans: int) -> bool:
        path = f"/v1/projects/default/spans?trace_id={quote(trace_id)}&limit=1000"
        answer = ask(self.url + path)
        return answer is not None and len(json.loads(answer)["data"]) == spans

    def disk_bytes(self) -> int:
        return sqlite_bytes(self._database)
