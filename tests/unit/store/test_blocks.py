"""Blocks of terms give back what went in, whatever the size at which they are cut."""

from collections.abc import Sequence

import numpy as np
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tracelake.store.index.blocks import Block, pack_blocks

DOCS = st.one_of(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12, unique=True),
    st.integers(0, 70_000).map(lambda end: list(range(end, end + 3000, 2))),
)
TERMS = st.dictionaries(st.binary(min_size=1, max_size=40), DOCS.map(sorted), max_size=40)


@given(TERMS, st.sampled_from([1, 60, 2000]), st.booleans())
def test_blocks_give_back_what_went_in(
    wanted: dict[bytes, list[int]], block_bytes: int, from_arrays: bool
) -> None:
    ordered = [(term, as_given(wanted[term], from_arrays)) for term in sorted(wanted)]
    packed = list(pack_blocks(ordered, block_bytes))
    blocks = [Block(content, zstandard.ZstdDecompressor()) for _, content in packed]
    assert [last for last, _ in packed] == [block.term(len(block) - 1) for block in blocks]
    found = {
        block.term(number): block.docs(number).tolist()
        for block in blocks
        for number in range(len(block))
    }
    assert list(found) == sorted(wanted)
    assert found == wanted


@given(TERMS.filter(bool), st.binary(max_size=40))
def test_a_term_is_found_where_it_is(wanted: dict[bytes, list[int]], other: bytes) -> None:
    ordered = sorted(wanted)
    ((_, content),) = pack_blocks([(term, wanted[term]) for term in ordered], 2**40)
    block = Block(content, zstandard.ZstdDecompressor())
    for term in (*ordered, other):
        docs = block.docs_of(term)
        assert (docs.tolist() if docs is not None else None) == wanted.get(term)
        assert block.first_at(term) == sum(each < term for each in ordered)


@given(TERMS.filter(bool))
def test_terms_of_few_documents_lie_in_one_array(wanted: dict[bytes, list[int]]) -> None:
    ((_, content),) = pack_blocks([(term, wanted[term]) for term in sorted(wanted)], 2**40)
    block = Block(content, zstandard.ZstdDecompressor())
    for number in range(len(block)):
        begin, end = block.few_range(number)
        few = block.few[begin:end].tolist()
        assert few in ([], wanted[block.term(number)])
        assert bool(few) == (len(wanted[block.term(number)]) <= 8)


def as_given(docs: list[int], as_array: bool) -> Sequence[int] | np.ndarray:
    return np.array(docs, dtype=np.uint32) if as_array else docs
