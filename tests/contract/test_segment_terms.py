"""The terms of a segment of many blocks, beside a dictionary of them."""

import random
from itertools import pairwise

import numpy as np
import pytest

from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.facts import FACTS
from tracelake.store.index.merge import merged
from tracelake.store.index.segments import NewSegment, SegmentWriter
from tracelake.store.index.text import TEXT
from tracelake.store.index.view import IndexView
from tracelake.store.open import Store
from tracelake.store.schema import stale_versions

DOCS = 3000


def make_terms(chooser: random.Random) -> dict[bytes, list[int]]:
    """Terms of three fields, one with keys that have values; most of a single document."""
    terms: dict[bytes, list[int]] = {b"W": [0, 7]}
    for number in range(4000):
        docs = chooser.sample(range(DOCS), chooser.choice([1, 1, 1, 2, 8, 9, 400]))
        terms[b"w\0" + chooser.randbytes(chooser.randint(1, 9)).replace(b"\0", b"x")] = sorted(docs)
        if number % 5 == 0:
            key = b"t\0key%d" % (number % 45)
            terms[key] = sorted({*terms.get(key, []), *docs})
            terms[key + b"\0value%d" % number] = sorted(docs)
    return terms


def write_segment(store: Store, terms: dict[bytes, list[int]], first_seq: int) -> None:
    seqs = np.arange(first_seq, first_seq + DOCS)
    last_seq = first_seq + DOCS - 1
    postings = [(term, terms[term]) for term in sorted(terms)]
    writer = SegmentWriter(store.database)
    # Text asks the facts which traces are still there.
    writer.write(NewSegment(FACTS, 0, first_seq, last_seq, seqs, {}, []))
    writer.write(NewSegment(TEXT, 0, first_seq, last_seq, seqs, {}, postings))


@pytest.fixture
def wanted(store: Store) -> dict[bytes, list[int]]:
    # Neighbours on both sides, whose terms must not be found.
    write_segment(store, make_terms(random.Random(1)), 1)
    wanted = make_terms(random.Random(2))
    write_segment(store, wanted, DOCS + 1)
    write_segment(store, make_terms(random.Random(3)), 2 * DOCS + 1)
    return wanted


def test_look_ups(store: Store, wanted: dict[bytes, list[int]]) -> None:
    chooser = random.Random(4)
    with store.database.read() as connection:
        terms = IndexView(connection, ColumnCache()).text[1].terms
        asked = [
            *chooser.sample(sorted(wanted), 300),
            b"",
            b"a",
            b"w",
            b"w\0",
            b"t\0key0\x01",
            b"z",
        ]
        for term in asked:
            assert terms.docs(term).tolist() == wanted.get(term, []), term
        for count in (1, 2, 3, 255, 256, 257, 600, len(wanted)):
            some = [*chooser.sample(sorted(wanted), count), b"not there", b"w\0not there", b"z"]
            chooser.shuffle(some)
            found = sorted(docs.tolist() for docs in terms.docs_of(some))
            assert found == sorted(wanted[term] for term in some if term in wanted)
        assert not list(terms.docs_of([]))


def test_ranges(store: Store, wanted: dict[bytes, list[int]]) -> None:
    chooser = random.Random(6)
    ordered = sorted(wanted)
    bounds = [*chooser.sample(ordered, 60), b"", b"t", b"w\0", b"w\x01", b"z"]
    with store.database.read() as connection:
        terms = IndexView(connection, ColumnCache()).text[1].terms
        for low, high in [*pairwise(bounds), *pairwise(sorted(bounds)), (b"", b"z")]:
            found = [(term, docs.tolist()) for term, docs in terms.between(low, high)]
            assert found == [(term, wanted[term]) for term in ordered if low <= term < high]
        keys = [term for term, _ in terms.keys(b"t")]
        assert keys == [term for term in ordered if term[:2] == b"t\0" and term.count(b"\0") == 1]
        assert not list(terms.keys(b"s"))


def test_joined_segments_have_the_terms_of_what_is_left(
    store: Store, wanted: dict[bytes, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelake.store.index.merge._BLOCKS_A_READ", 3)
    all_terms = [make_terms(random.Random(1)), wanted, make_terms(random.Random(3))]
    gone = set(random.Random(7).sample(range(DOCS, 3 * DOCS), 2 * DOCS - 50))
    with store.database.write() as connection:
        connection.execute(stale_versions.insert(), [{"seq": at + 1} for at in sorted(gone)])
    with store.database.read() as connection:
        view = IndexView(connection, ColumnCache())
        new = merged(store.database, view, TEXT, view.text)
        found = {term: list(map(int, docs)) for term, docs in new.postings}
    assert list(found) == sorted(found)
    left = [at for at in range(3 * DOCS) if at not in gone]
    assert new.seqs.tolist() == [at + 1 for at in left]
    place = {at: new_at for new_at, at in enumerate(left)}
    joined: dict[bytes, list[int]] = {}
    for number, terms in enumerate(all_terms):
        for term, docs in terms.items():
            there = [place[at] for doc in docs if (at := number * DOCS + doc) in place]
            if there:
                joined.setdefault(term, []).extend(there)
    assert found == joined
