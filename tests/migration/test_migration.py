"""Migrations: their sum is the schema, they run once, and a newer database is refused."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tracelake.model.errors import SchemaTooNew
from tracelake.store import migrate, migrations
from tracelake.store.database import Database
from tracelake.store.migrate import current_revision, upgrade
from tracelake.store.open import open_store
from tracelake.store.schema import metadata


def test_the_sum_of_the_migrations_is_the_schema(store_url: str) -> None:
    database = Database(store_url)
    try:
        assert current_revision(database) is None
        upgrade(database)
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        upgrade(database)
    finally:
        database.close()


def test_the_newest_migration_is_known_by_its_name(store_url: str) -> None:
    database = Database(store_url)
    try:
        upgrade(database)
        head = ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()
        assert current_revision(database) == head == migrate.NEWEST
    finally:
        database.close()


def test_a_newer_database_is_refused(store_url: str) -> None:
    store = open_store(store_url)
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(SchemaTooNew, match="newer release"):
        open_store(store_url)
