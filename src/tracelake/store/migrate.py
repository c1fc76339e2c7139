"""Bring a database to the schema of this release, or say why not."""

from pathlib import Path
from typing import Final

from sqlalchemy import inspect

from tracelake.model.errors import SchemaTooNew
from tracelake.store.database import Database

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
NEWEST: Final = max(
    file.stem.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py")
)
"""Migrations are named by their revisions, which ascend."""


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction of the one writer.

    Raises SchemaTooNew when a later release has migrated this database already.
    """
    if current_revision(database) != NEWEST:
        _run_alembic(database)


def current_revision(database: Database) -> str | None:
    """The revision a database is at; None for an empty one."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _run_alembic(database: Database) -> None:
    # Here, because it is 11 MB in each of the server's processes, and hardly ever needed.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with database.write() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        try:
            if current is not None:
                script.get_revision(current)
        except CommandError as error:
            raise SchemaTooNew(
                f"the database is at schema {current}, which this Tracelake does not know: it was "
                "written by a newer release. Start that release, or restore an older backup."
            ) from error
        if current != script.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
