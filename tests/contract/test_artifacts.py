"""Files in the store, on every engine: whole or not at all, in pieces, and swept when nobody can
reach them."""

import os

import pytest
from sqlalchemy import func, select, update

from tests.spans import make_span, public_id, write
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.store.artifacts import PIECE_BYTES, artifact_files, artifact_pieces
from tracelake.store.open import Store

_DAY_MS = 24 * 3600 * 1000


def put(store: Store, path: str, content: bytes) -> None:
    upload = store.artifacts.upload(path)
    for at in range(0, len(content), 100_000):
        upload.add(content[at : at + 100_000])
    upload.finish()


def content_of(store: Store, path: str) -> bytes:
    return b"".join(store.artifacts.read(path))


def pieces(store: Store) -> int:
    with store.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(artifact_pieces)) or 0


def grow_old(store: Store) -> None:
    with store.database.write() as connection:
        for table, column in ((artifact_files, "modified_ms"), (artifact_pieces, "written_ms")):
            older = {column: table.c[column] - 2 * _DAY_MS}
            connection.execute(update(table).values(older))


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 7])
def test_what_was_put_is_read(store: Store, size: int) -> None:
    content = os.urandom(size)
    put(store, "1/run/artifacts/a b/\u00fc.bin", content)
    assert content_of(store, "1/run/artifacts/a b/\u00fc.bin") == content
    assert store.artifacts.get("/1/run/artifacts/a b/\u00fc.bin").size_bytes == size


def test_a_file_takes_the_place_of_another_whole(store: Store) -> None:
    put(store, "f", b"x" * (2 * PIECE_BYTES))
    reading = store.artifacts.read("f")
    next(reading)
    upload = store.artifacts.upload("f")
    upload.add(b"y" * (PIECE_BYTES + 1))
    assert content_of(store, "f")[:1] == b"x"
    upload.finish()
    assert content_of(store, "f") == b"y" * (PIECE_BYTES + 1)
    assert pieces(store) == 2
    with pytest.raises(NotFound, match="replaced"):
        next(reading)


def test_folders(store: Store) -> None:
    for path in ("a/b/one", "a/b/two", "a/bc", "a0", "a/b.txt"):
        put(store, path, b"12345")
    told = [
        (entry.name, entry.is_folder, entry.size_bytes) for entry in store.artifacts.entries("a")
    ]
    assert told == [("b", True, 0), ("b.txt", False, 5), ("bc", False, 5)]
    assert [entry.name for entry in store.artifacts.entries("")] == ["a", "a0"]
    assert store.artifacts.entries("a/bc") == store.artifacts.entries("nowhere") == []
    store.artifacts.delete("a/b")
    store.artifacts.delete("a/b")
    assert [entry.name for entry in store.artifacts.entries("a")] == ["b.txt", "bc"]
    assert pieces(store) == 3


@pytest.mark.parametrize(
    "path", ["", "/", "a/../b", "..", "a//b", "a/./b", "a\\b", "a\0b", "x" * 2001]
)
def test_a_path_that_leads_out_is_refused(store: Store, path: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid path"):
        store.artifacts.upload(path)


def test_what_nobody_can_reach_is_swept_a_day_later(store: Store) -> None:
    abandoned = store.artifacts.upload("never/finished")
    abandoned.add(bytes(PIECE_BYTES))
    write(store, make_span(1, 1))
    put(store, f"0/traces/{public_id(1)}/artifacts/attachments/kept", b"1")
    put(store, f"0/traces/{public_id(2)}/artifacts/attachments/gone", b"2")
    put(store, "0/run/artifacts/kept", b"3")
    assert store.artifacts.sweep() == 0
    grow_old(store)
    assert store.artifacts.sweep() == 2
    assert store.artifacts.sweep() == 0
    assert content_of(store, f"0/traces/{public_id(1)}/artifacts/attachments/kept") == b"1"
    assert content_of(store, "0/run/artifacts/kept") == b"3"
    with pytest.raises(NotFound):
        store.artifacts.get(f"0/traces/{public_id(2)}/artifacts/attachments/gone")
