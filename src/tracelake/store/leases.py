"""Leases in SQL: a row per name, held until it expires."""

import os
import socket
import time
import uuid

from sqlalchemy import delete, select

from tracelake.store.api import Leases
from tracelake.store.database import Database, now_ms
from tracelake.store.schema import leases


class SqlLeases:
    """Implements `Leases`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, ttl_s: float) -> bool:
        time_ms = now_ms()
        with self._database.write() as connection:
            row = connection.execute(select(leases).where(leases.c.name == name)).one_or_none()
            if row is not None and row.holder != holder and row.expires_ms > time_ms:
                return False
            connection.execute(delete(leases).where(leases.c.name == name))
            connection.execute(
                leases.insert().values(
                    name=name, holder=holder, expires_ms=time_ms + int(ttl_s * 1000)
                )
            )
        return True

    def release(self, name: str, holder: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                delete(leases).where(leases.c.name == name, leases.c.holder == holder)
            )


class HeldLease:
    """One lease for one worker, renewed now and then while the work goes on. Not for two threads at
    once."""

    def __init__(self, leases: Leases, name: str, ttl_s: float, renew_s: float) -> None:
        self._leases = leases
        self._name = name
        self._ttl_s = ttl_s
        self._renew_s = renew_s
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
        self._renewed_s: float | None = None
        """None where it is not held."""

    def keep(self) -> bool:
        """Whether it is held, after it was taken or renewed where that is due."""
        time_s = time.monotonic()
        if self._renewed_s is not None and time_s - self._renewed_s < self._renew_s:
            return True
        is_held = self._leases.acquire(self._name, self._holder, self._ttl_s)
        self._renewed_s = time_s if is_held else None
        return is_held

    def give_back(self) -> None:
        """Nothing where it is not held."""
        if self._renewed_s is not None:
            self._renewed_s = None
            self._leases.release(self._name, self._holder)
