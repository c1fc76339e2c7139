"""When a commit is on disk: SQLite's log is synced after the turn to write, before the answer."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spans import make_request, make_span, parts_in
from tracelake.model.errors import Unavailable
from tracelake.store.log import WriteAheadLog
from tracelake.store.open import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/t.db")
    yield store
    store.close()


@pytest.fixture
def synced(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The files that were synced, each with the traces that others could read by then."""
    found: list[tuple[str, int]] = []
    sync = os.fdatasync

    def noted(file: int) -> None:
        name = Path(f"/proc/self/fd/{file}").readlink().name
        found.append((name, store.changes.last_seq()))
        sync(file)

    monkeypatch.setattr(os, "fdatasync", noted)
    return found


def test_spans_are_written_first_and_synced_when_it_is_asked_for(
    store: Store, synced: list[tuple[str, int]]
) -> None:
    store.spans.write(parts_in(make_request([make_span(1, 1)]))[0])
    assert synced == []
    store.spans.sync()
    assert synced == [("t.db-wal", 1)]


def test_all_other_writing_is_durable_when_it_returns(
    store: Store, synced: list[tuple[str, int]]
) -> None:
    store.experiments.create("new", {})
    assert [name for name, _ in synced] == ["t.db-wal"]


def test_who_follows_changes_is_shown_none_that_a_crash_could_take_back(
    store: Store, synced: list[tuple[str, int]]
) -> None:
    store.spans.write(parts_in(make_request([make_span(1, 1)]))[0])
    assert len(store.changes.read(0, max_traces=10, max_spans=100)) == 1
    assert synced == [("t.db-wal", 1)]


def test_a_log_that_is_made_anew_is_found(store: Store, tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path / "t.db")
    log.sync()
    store.experiments.create("one", {})
    log.sync()
    store.close()  # the last connection empties the log and removes it
    assert not (tmp_path / "t.db-wal").exists()
    log.sync()
    again = open_store(f"sqlite:///{tmp_path}/t.db")
    again.experiments.create("two", {})
    log.sync()
    again.close()
    log.close()


def test_a_disk_that_fails_is_said_to_be_unavailable(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(Unavailable, match=r"t\.db-wal: Input/output error"):
        store.experiments.create("new", {})
