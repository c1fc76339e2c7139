"""Leases in SQL: a row per name, held until it expires."""

from sqlalchemy import delete, select

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
