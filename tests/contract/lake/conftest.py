"""Every test has its own store, on each engine, and its own lake."""

from collections.abc import Generator
from pathlib import Path

import pytest
from lake_world import Lake

from tracelake.store.open import open_store


@pytest.fixture
def lake(tmp_path: Path, store_url: str) -> Generator[Lake]:
    store = open_store(store_url)
    try:
        yield Lake(store, str(tmp_path / "lake"))
    finally:
        store.close()
