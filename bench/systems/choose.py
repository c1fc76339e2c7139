"""Systems by the short names that the benchmarks' options take."""

from collections.abc import Callable, Mapping
from pathlib import Path

from systems.base import System
from systems.mlflow import Mlflow
from systems.ours import Tracelake
from systems.phoenix import Phoenix
from systems.postgres import Postgres

NAMES = ("ours", "ours-postgres", "ours-postgres-2", "mlflow", "mlflow-postgres", "phoenix")


class Systems:
    """Makes systems in folders under `home`; one PostgreSQL server for all that need one."""

    def __init__(self, home: Path, peers: Path) -> None:
        self._home = home
        self._peers = peers
        self._postgres: Postgres | None = None

    def make(self, name: str, label: str) -> System:
        """A system with an empty store; `label` tells this store from its others."""
        folder = self._home / f"{name}-{label}"
        makers: Mapping[str, Callable[[], System]] = {
            "ours": lambda: Tracelake(folder),
            "ours-postgres": lambda: Tracelake(folder, self._server()),
            "ours-postgres-2": lambda: Tracelake(folder, self._server(), 2),
            "mlflow": lambda: Mlflow(folder, self._peers),
            "mlflow-postgres": lambda: Mlflow(folder, self._peers, self._server()),
            "phoenix": lambda: Phoenix(folder, self._peers),
        }
        return makers[name]()

    def _server(self) -> Postgres:
        if self._postgres is None:
            self._postgres = Postgres(self._home / "postgres")
        return self._postgres

    def stop(self) -> None:
        if self._postgres is not None:
            self._postgres.stop()
