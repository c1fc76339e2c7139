"""Secrets that all servers of a store share, made by whichever needs one first."""

import secrets
from typing import Final, Protocol

from sqlalchemy import select

from tracelake.store.database import Database
from tracelake.store.schema import shared_keys

_KEY_BYTES: Final = 32


class SharedKeys(Protocol):
    def get(self, name: str) -> bytes:
        """The key of this name: random, and the same for everybody from now on."""
        ...


class SqlSharedKeys:
    """Implements `SharedKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> bytes:
        query = select(shared_keys.c.content).where(shared_keys.c.name == name)
        with self._database.read() as connection:
            known: bytes | None = connection.scalar(query)
        if known is not None:
            return bytes(known)
        with self._database.write() as connection:
            known = connection.scalar(query)
            if known is None:
                known = secrets.token_bytes(_KEY_BYTES)
                connection.execute(shared_keys.insert().values(name=name, content=known))
        return bytes(known)
