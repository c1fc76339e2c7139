"""Bring a database to the schema of this release, or say why not."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from tracelake.model.errors import SchemaTooNew
from tracelake.store.database import Database

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction of the one writer.

    Raises SchemaTooNew when a later release has migrated this database already.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with database.write() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        _refuse_newer(script, current)
        if current != script.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def current_revision(database: Database) -> str | None:
    """The revision a database is at; None for an empty one."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(script: ScriptDirectory, current: str | None) -> None:
    if current is None:
        return
    try:
        script.get_revision(current)
    except CommandError as error:
        raise SchemaTooNew(
            f"the database is at schema {current}, which this Tracelake does not know: it was "
            "written by a newer release. Start that release, or restore an older backup."
        ) from error
