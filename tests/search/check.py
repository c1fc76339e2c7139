"""Ask a store generated filters and compare every answer with the twin's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.search.filters import Generator
from tests.search.twin import Twin
from tests.search.world import Trace
from tracelake.store.open import Store

MAX_PAGES = 200

Find = Callable[[str, list[str], int], list[str]]
"""Filter, order and page size to the ids on all pages, in order."""


@dataclass(frozen=True)
class Disagreement:
    filter: str
    order_by: list[str]
    page_size: int
    told: list[str] | str
    """Ids in order, or the error that came instead."""
    expected: list[str]

    def __str__(self) -> str:
        asked = f"{self.filter!r} order {self.order_by} pages of {self.page_size}"
        if isinstance(self.told, str):
            return f"{asked}: {self.told}"
        missing = sorted(set(self.expected) - set(self.told))
        extra = sorted(set(self.told) - set(self.expected))
        if missing or extra:
            return f"{asked}: missing {missing[:5]}, too many {extra[:5]}"
        return f"{asked}: another order, {len(self.told)} told of {len(self.expected)}"


def disagreements(
    find: Find, world: list[Trace], seed: int, count: int, *, ordered: bool = True
) -> Iterator[Disagreement]:
    """`count` filters, each read page by page to its end; those with another answer.

    Without `ordered` every filter is asked in the default order.
    """
    generator, twin = Generator(seed, world), Twin(world)
    for _ in range(count):
        tree = generator.tree()
        text, size = generator.text(tree), generator.page_size()
        keys = generator.order_by() if ordered else []
        order_by = [f"{key} {'DESC' if descending else 'ASC'}" for key, descending in keys]
        expected = twin.find(tree, keys)
        try:
            told: list[str] | str = find(text, order_by, size)
        except Exception as error:  # whatever it is, it is the wrong answer
            told = f"{type(error).__name__}: {error}"
        if told != expected:
            yield Disagreement(text, order_by, size, told, expected)


def all_pages(store: Store) -> Find:
    """Ask a store."""

    def find(text: str, order_by: list[str], size: int) -> list[str]:
        found: list[str] = []
        token: str | None = None
        for _ in range(MAX_PAGES):
            page = store.traces.find_traces(
                filter=text, order_by=order_by, max_results=size, page_token=token
            )
            found += [info.trace_id for info in page.traces]
            token = page.next_page_token
            if token is None:
                return found
        raise AssertionError(f"more than {MAX_PAGES} pages")

    return find
