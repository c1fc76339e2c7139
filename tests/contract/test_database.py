"""What a database that is away looks like to the rooms above."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tracelake.model.errors import InvalidInput, Unavailable
from tracelake.store.database import Database
from tracelake.store.open import open_store


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


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tracelake.db"
    file.write_text("a text, and long enough to be taken for a database" * 100)
    with pytest.raises(InvalidInput, match="restore FILE --force"):
        open_store(f"sqlite:///{file}")


def test_a_new_connection_reads_while_another_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    store, other = open_store(url), Database(url)
    read = threading.Event()

    def begin() -> None:
        with other.read():
            read.set()

    try:
        with store.database.write():
            reader = threading.Thread(target=begin)
            reader.start()
            assert read.wait(20)
        reader.join()
    finally:
        other.close()
        store.close()


_HOLDER = """
import sys
from pathlib import Path
from tracelake.store.turn import FileTurn

with FileTurn(Path(sys.argv[1])).taken():
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_writers_of_two_processes_take_turns_and_a_dead_one_loses_its_own(tmp_path: Path) -> None:
    path = tmp_path / "tracelake.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    database = Database(f"sqlite:///{path}")
    wrote = threading.Event()

    def write() -> None:
        with database.write():
            wrote.set()

    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"
        writer = threading.Thread(target=write)
        writer.start()
        assert not wrote.wait(0.2)
        holder.kill()
        writer.join(30)
        assert wrote.is_set()
    finally:
        holder.kill()
        holder.communicate()
        database.close()
