"""Every test has its own store and its own lake."""

from collections.abc import Generator
from pathlib import Path

import pytest
from lake_world import Lake

from tracelake.store.open import open_store


@pytest.fixture
def lake(tmp_path: Path) -> Generator[Lake]:
    store = open_store(f"sqlite:///{tmp_path / 'tracelake.db'}")
    try:
        yield Lake(store, str(tmp_path / "lake"))
    finally:
        store.close()
