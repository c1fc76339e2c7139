"""What a database that is away looks like to the rooms above."""

from pathlib import Path

import pytest

from tracelake.model.errors import Unavailable
from tracelake.store.database import Database


def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:9/none")
    try:
        with pytest.raises(Unavailable, match="does not answer"), database.read():
            pass
    finally:
        database.close()


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "tracelake.db").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'tracelake.db'}")
    try:
        with pytest.raises(Unavailable, match="does not answer"), database.write():
            pass
    finally:
        database.close()
