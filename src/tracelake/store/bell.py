"""PostgreSQL's word that something has changed, heard on a connection that listens."""

from typing import Any

import psycopg

from tracelake.model.errors import Unavailable
from tracelake.store.database import CHANGES_CHANNEL, Database


class PostgresBell:
    """A connection of its own that listens. One thread at a time."""

    def __init__(self, database: Database) -> None:
        url = database.engine.url.set(drivername="postgresql")
        self._url = url.render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] | None = None

    def listen(self) -> None:
        """Be listening, and have heard all that was said before. Raises Unavailable."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                self._connection.execute(f"LISTEN {CHANGES_CHANNEL}")
            for _ in self._connection.notifies(timeout=0):
                pass
        except psycopg.Error as error:
            self._lost(error)

    def wait(self, timeout_s: float) -> None:
        """Return at the next word, or when time is up. Raises Unavailable."""
        assert self._connection is not None, "listen() comes first"
        try:
            for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
                pass
        except psycopg.Error as error:
            self._lost(error)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _lost(self, error: psycopg.Error) -> None:
        self.close()
        raise Unavailable(f"the store does not answer: {error}") from error
