"""Our cost formula against the library that keeps the prices."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from tracelake.ingest.prices import PriceTable
from tracelake.model.entities import TokenUsage
from tracelake.model.errors import InvalidInput

MODELS = (
    ("gpt-4o", "openai"),
    ("gpt-4o-mini", None),
    ("claude-sonnet-4-5", "anthropic"),
    ("gemini-2.5-pro", "google"),
)
TABLE = PriceTable()


@given(
    model=st.sampled_from(MODELS),
    fresh=st.integers(0, 300_000),
    read=st.integers(0, 100_000),
    outputs=st.integers(1, 100_000),
)
def test_the_formula_agrees_with_the_kept_prices(
    model: tuple[str, str | None], fresh: int, read: int, outputs: int
) -> None:
    name, provider = model
    inputs = fresh + read
    ours = TABLE.cost(name, provider, TokenUsage(inputs, outputs, inputs + outputs, read))
    usage = Usage(input_tokens=inputs, output_tokens=outputs, cache_read_tokens=read)
    theirs = calc_price(usage, name, provider_id=provider)
    assert ours is not None
    assert ours.input_cost == pytest.approx(float(theirs.input_price))
    assert ours.output_cost == pytest.approx(float(theirs.output_price))
    assert ours.total_cost == pytest.approx(float(theirs.total_price))


def test_cached_tokens_are_counted_once() -> None:
    cost = TABLE.cost("gpt-4o", "openai", TokenUsage(1000, 0, 1000, 1000))
    assert cost is not None
    assert cost.total_cost == pytest.approx(1000 * 1.25 / 1e6)


@pytest.mark.parametrize("model", ["gateway:/gpt-4o", "endpoints:/x", "no-such-model", None])
def test_no_price_is_no_cost(model: str | None) -> None:
    assert TABLE.cost(model, None, TokenUsage(10, 10, 20)) is None


def test_a_price_of_ones_own_wins(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    pricing = {"input_per_million_tokens": 1, "output_per_million_tokens": 2}
    file.write_text(json.dumps({"models": {"gpt-4o": {"pricing": pricing}}}))
    cost = PriceTable(file).cost("gpt-4o", "openai", TokenUsage(1_000_000, 1_000_000, 2_000_000))
    assert cost is not None
    assert Decimal(str(cost.total_cost)) == 3


def test_a_wrong_price_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"models": {"m": {"pricing": {"input_per_million_tokens": "free"}}}}')
    with pytest.raises(InvalidInput, match="m: input must be a number"):
        PriceTable(file)
