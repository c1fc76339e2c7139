"""Files in parts, and ranges of files, on every engine."""

import os
import random

import pytest
from sqlalchemy import func, select, update

from tracelake.model.errors import Conflict, InvalidInput, NotFound
from tracelake.store.artifact_parts import MOST_PARTS
from tracelake.store.artifacts import PIECE_BYTES, artifact_pieces, artifact_uploads
from tracelake.store.open import Store

_PATH = "1/run/artifacts/large.bin"


def send(store: Store, upload_id: str, number: int, content: bytes) -> None:
    part = store.artifact_parts.part(upload_id, number)
    for at in range(0, len(content), 300_000):
        part.add(content[at : at + 300_000])
    part.finish()


def pieces(store: Store) -> int:
    with store.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(artifact_pieces)) or 0


def content_of(store: Store, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(store.artifacts.read(_PATH, start, end))


def test_parts_come_in_any_order_and_count_once(store: Store) -> None:
    sizes = [PIECE_BYTES + 5, 3, 2 * PIECE_BYTES, 1, 700_000]
    parts = {number: os.urandom(size) for number, size in enumerate(sizes, start=1)}
    upload_id = store.artifact_parts.begin(_PATH)
    send(store, upload_id, 3, b"sent before, and longer" * PIECE_BYTES)
    for number in (4, 1, 3, 5, 2, 9):
        send(store, upload_id, number, parts.get(number, b"not listed"))
    with pytest.raises(NotFound):
        store.artifacts.get(_PATH)
    file = store.artifact_parts.complete(upload_id, _PATH, [1, 2, 3, 4, 5])
    whole = b"".join(parts.values())
    assert file.size_bytes == len(whole)
    assert content_of(store) == whole
    assert pieces(store) == 2 + 1 + 2 + 1 + 1
    chance = random.Random(7)
    for _ in range(50):
        start, end = sorted(chance.sample(range(len(whole) + 1), 2))
        assert content_of(store, start, end) == whole[start:end]


def test_an_upload_ends_once(store: Store) -> None:
    upload_id = store.artifact_parts.begin(_PATH)
    send(store, upload_id, 1, b"one")
    late = store.artifact_parts.part(upload_id, 1)
    store.artifact_parts.complete(upload_id, _PATH, [1])
    late.add(b"other")
    with pytest.raises(NotFound, match="ended"):
        late.finish()
    late.abandon()
    store.artifact_parts.abort(upload_id, _PATH)
    with pytest.raises(NotFound, match="no open upload"):
        store.artifact_parts.complete(upload_id, _PATH, [1])
    assert content_of(store) == b"one"


def test_of_two_attempts_at_a_part_the_one_that_began_last_counts(store: Store) -> None:
    upload_id = store.artifact_parts.begin(_PATH)
    content = os.urandom(3 * PIECE_BYTES + 5)
    first, second, third = (store.artifact_parts.part(upload_id, 1) for _ in range(3))
    first.add(content[:PIECE_BYTES])
    second.add(content[: 2 * PIECE_BYTES])
    with pytest.raises(Conflict, match="sent again"):
        first.add(content[PIECE_BYTES:])
    first.abandon()
    with pytest.raises(InvalidInput, match=r"\[1\]"):
        store.artifact_parts.complete(upload_id, _PATH, [1])
    second.add(content[2 * PIECE_BYTES :])
    second.finish()
    third.add(b"less than a piece")
    third.abandon()
    store.artifact_parts.complete(upload_id, _PATH, [1])
    assert content_of(store) == content


def test_what_is_missing_is_told_and_can_still_come(store: Store) -> None:
    upload_id = store.artifact_parts.begin(_PATH)
    send(store, upload_id, 2, b"two")
    with pytest.raises(InvalidInput, match=r"\[1\]"):
        store.artifact_parts.complete(upload_id, _PATH, [1, 2])
    send(store, upload_id, 1, b"one ")
    store.artifact_parts.complete(upload_id, _PATH, [2, 1])
    assert content_of(store) == b"one two"


def test_an_upload_is_of_one_file(store: Store) -> None:
    upload_id = store.artifact_parts.begin(_PATH)
    send(store, upload_id, 1, b"one")
    for wrong in ("x", "", "99999999", "9" * 30, "-1"):
        with pytest.raises(NotFound):
            store.artifact_parts.complete(wrong, _PATH, [1])
    with pytest.raises(NotFound):
        store.artifact_parts.complete(upload_id, "1/other", [1])
    store.artifact_parts.abort(upload_id, "1/other")
    for number in (0, MOST_PARTS + 1):
        with pytest.raises(InvalidInput, match="part_number"):
            store.artifact_parts.part(upload_id, number)
    store.artifact_parts.abort(upload_id, _PATH)
    assert pieces(store) == 0


def test_uploads_that_were_left_are_swept_a_day_later(store: Store) -> None:
    idle, begun = store.artifact_parts.begin("a"), store.artifact_parts.begin("b")
    send(store, begun, 1, b"one")
    assert store.artifacts.sweep() == 0
    day_ms = 24 * 3600 * 1000
    with store.database.write() as connection:
        for table, column in ((artifact_uploads, "started_ms"), (artifact_pieces, "written_ms")):
            connection.execute(update(table).values({column: table.c[column] - 2 * day_ms}))
    assert store.artifacts.sweep() == 1
    for upload_id, path in ((idle, "a"), (begun, "b")):
        with pytest.raises(NotFound):
            store.artifact_parts.complete(upload_id, path, [1])
