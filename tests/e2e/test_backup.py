"""Backup under load and restore into another home: what was acknowledged before is there, whole."""

import itertools
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span, public_id, write
from tracelake.store.open import open_store


def tracelake(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tracelake", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class Load:
    """Sends traces of three spans until it is stopped."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[int] = []
        self._thread.start()

    def wait_for(self, count: int) -> None:
        for _ in range(600):
            if len(self.acknowledged) >= count:
                return
            self._stop.wait(0.05)
        raise AssertionError(f"only {len(self.acknowledged)} traces were taken")

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for n in itertools.count(1):
            if self._stop.is_set():
                return
            spans = [make_span(n, 1, note="x" * 2000), make_span(n, 2, 1), make_span(n, 3, 1)]
            request = urllib.request.Request(
                self._server.url + "/v1/traces",
                data=make_request(spans).SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
            )
            with urllib.request.urlopen(request, timeout=20):
                self.acknowledged.append(n)


def test_backup_under_load_and_restore_elsewhere(tmp_path: Path) -> None:
    home, other, file = tmp_path / "home", tmp_path / "other", tmp_path / "backup.db"
    server = start_server(home, f"sqlite:///{home / 'tracelake.db'}")
    load = Load(server)
    try:
        load.wait_for(300)
        before = list(load.acknowledged)
        made = tracelake("backup", file, "--home", home)
        during = len(load.acknowledged) - len(before)
        refused = tracelake("restore", file, "--home", home, "--force")
        url = f"sqlite:///{home / 'tracelake.db'}"
        around = tracelake("restore", file, "--home", other, "--store-url", url, "--force")
    finally:
        load.end()
        server.process.terminate()
        server.process.wait(30)
    assert made.returncode == 0, made.stderr
    assert "traces" in made.stdout
    assert during > 0, "ingest stood still"
    assert (refused.returncode, "another server" in refused.stderr) == (1, True)
    assert (around.returncode, "a server uses" in around.stderr) == (1, True)
    assert tracelake("backup", file, "--home", home).returncode == 1, "it overwrites"

    restored = tracelake("restore", file, "--home", other)
    assert restored.returncode == 0, restored.stderr
    store = open_store(f"sqlite:///{other / 'tracelake.db'}")
    try:
        for n in before:
            assert store.traces.get_trace(public_id(n)).span_count == 3
        spans = store.traces.get_spans(public_id(before[-1])).spans
        assert {span.attributes.get("note") for span in spans} == {"x" * 2000, None}
        write(store, make_span(99_999, 1))
        assert store.traces.get_trace(public_id(99_999)).span_count == 1
    finally:
        store.close()
    again = tracelake("restore", file, "--home", other)
    assert (again.returncode, "--force" in again.stderr) == (1, True)
    assert tracelake("restore", file, "--home", other, "--force").returncode == 0
    assert sorted(each.name for each in other.iterdir() if "partial" in each.name) == []


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to be taken for one" * 100)
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).close()
    store = open_store(f"sqlite:///{tmp_path / 'whole.db'}")
    write(store, *(make_span(n, 1, note="x" * 5000) for n in range(1, 200)))
    store.close()
    whole = (tmp_path / "whole.db").read_bytes()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(whole[: len(whole) // 2])
    newer = tmp_path / "newer.db"
    newer.write_bytes(whole)
    changed = sqlite3.connect(newer)
    changed.execute("UPDATE alembic_version SET version_num = '9999'")
    changed.commit()
    changed.close()
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as theirs:
        theirs.execute("CREATE TABLE traces (id INTEGER)")
    for file, says in (
        (text, "not a backup"),
        (other, "lacks its tables"),
        (empty, "not a backup"),
        (damaged, "is"),
        (newer, "newer release"),
        (tmp_path / "none", "no file"),
    ):
        done = tracelake("restore", file, "--home", home)
        assert done.returncode == 1, file
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert not (home / "tracelake.db").exists()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_postgresql_has_its_own_tools(command: str, tmp_path: Path) -> None:
    url = "postgresql://u@127.0.0.1:9/d"
    done = tracelake(command, tmp_path / "f", "--home", tmp_path, "--store-url", url)
    assert done.returncode == 1
    assert "pg_dump" in done.stderr


def test_delete_on_the_command_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    store = open_store(url)
    write(store, *(make_span(n, 1, user__id=f"u{n % 2}") for n in range(1, 11)))
    store.close()
    command = ("delete", "--home", tmp_path, "--filter", "user = 'u1'")
    counted = tracelake(*command, "--dry-run")
    assert (counted.returncode, counted.stdout) == (0, "5 traces match; nothing was deleted\n")
    asked = tracelake(*command)
    assert (asked.returncode, "--yes" in asked.stderr) == (1, True)
    done = tracelake(*command, "--yes")
    assert (done.returncode, done.stdout[:17]) == (0, "deleted 5 traces;")
    assert tracelake(*command, "--yes").stdout == "0 traces match; nothing was deleted\n"
    assert tracelake("delete", "--home", tmp_path, "--yes").returncode == 1
    assert tracelake("delete", "--home", tmp_path, "--older-than", "3x").returncode == 2
