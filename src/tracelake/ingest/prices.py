"""What a model call costs: the kept tables of genai-prices, and a user's own price file on top.

The formula is SPEC 3.3, with rates that may rise with the length of the input.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from genai_prices import Usage, calc_price
from genai_prices.types import TieredPrices

from tracelake.model.entities import Cost, JsonValue, TokenUsage
from tracelake.model.errors import InvalidInput
from tracelake.model.jsonvalue import as_object

_UNPRICED_PREFIXES: Final = ("gateway:/", "endpoints:/")
_PER: Final = 1_000_000
_REMEMBERED: Final = 5000
"""Model names come from users: an endless supply of them must not fill the memory."""

Rate = Callable[[int], float]
"""Dollars a token, given the input tokens of the whole call."""


@dataclass(frozen=True, slots=True)
class _Rates:
    input: Rate
    output: Rate
    cache_read: Rate
    cache_write: Rate


class PriceTable:
    """Prices by model and provider, remembered after the first look-up."""

    def __init__(self, user_file: Path | None = None) -> None:
        """Raises InvalidInput when the user's file is not there or is not a price file."""
        self._own = _read_user_file(user_file) if user_file else {}
        self._known: dict[tuple[str, str | None], _Rates | None] = {}

    def cost(
        self, model: str | None, provider: str | None, usage: TokenUsage | None
    ) -> Cost | None:
        """The cost of one call in US dollars; None when there is no usage or no price."""
        if model is None or usage is None or model.startswith(_UNPRICED_PREFIXES):
            return None
        if not usage.input_tokens and not usage.output_tokens:
            return None
        rates = self._rates(model, provider)
        if rates is None:
            return None
        read = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        inputs = usage.input_tokens
        input_cost = max(inputs - read - written, 0) * rates.input(inputs)
        if read or written:
            input_cost += read * rates.cache_read(inputs) + written * rates.cache_write(inputs)
        output_cost = usage.output_tokens * rates.output(inputs)
        return Cost(input_cost, output_cost, input_cost + output_cost)

    def _rates(self, model: str, provider: str | None) -> _Rates | None:
        key = (model, provider)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._own.get(model) or _look_up(model, provider)
        return self._known[key]


def _look_up(model: str, provider: str | None) -> _Rates | None:
    """Rates of genai-prices: by provider and model, then by model alone, with and without the
    part of the name before its first slash."""
    bare = model.partition("/")[2] or model
    for name, source in ((model, provider), (bare, provider), (model, None), (bare, None)):
        try:
            found = calc_price(Usage(input_tokens=1), name, provider_id=source)
        except (LookupError, ValueError):
            continue
        price: Any = found.model_price
        return _rates_of(
            getattr(price, "input_mtok", None),
            getattr(price, "output_mtok", None),
            getattr(price, "cache_read_mtok", None),
            getattr(price, "cache_write_mtok", None),
        )
    return None


def _rates_of(
    price_in: Decimal | TieredPrices | None,
    price_out: Decimal | TieredPrices | None,
    cache_read: Decimal | TieredPrices | None,
    cache_write: Decimal | TieredPrices | None,
) -> _Rates:
    return _Rates(
        input=_rate(price_in),
        output=_rate(price_out),
        cache_read=_rate(cache_read if cache_read is not None else price_in),
        cache_write=_rate(cache_write if cache_write is not None else price_in),
    )


def _rate(price: Decimal | TieredPrices | None) -> Rate:
    if price is None:
        return lambda _inputs: 0.0
    if isinstance(price, Decimal):
        flat = float(price) / _PER
        return lambda _inputs: flat
    base = float(price.base) / _PER
    tiers = [(tier.start, float(tier.price) / _PER) for tier in price.tiers]

    def of_tier(inputs: int) -> float:
        rate = base
        for start, higher in tiers:
            if inputs > start:
                rate = higher
        return rate

    return of_tier


def _read_user_file(path: Path) -> dict[str, _Rates]:
    """A price file: `{"models": {"<name>": {"pricing": {"input_per_million_tokens": 2.5, …}}}}`."""
    try:
        told = as_object(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"price file {path}: {error}") from error
    models = as_object(told.get("models")) if told else None
    if models is None:
        raise InvalidInput(f'price file {path}: expected an object with "models"')
    return {name: _own_rates(path, name, entry) for name, entry in models.items()}


def _own_rates(path: Path, name: str, entry: JsonValue) -> _Rates:
    pricing = as_object((as_object(entry) or {}).get("pricing")) or {}

    def price(kind: str) -> Decimal | None:
        dollars = pricing.get(f"{kind}_per_million_tokens")
        if dollars is None:
            return None
        if isinstance(dollars, bool) or not isinstance(dollars, int | float) or dollars < 0:
            raise InvalidInput(f"price file {path}: {name}: {kind} must be a number of dollars")
        return Decimal(str(dollars))

    if price("input") is None and price("output") is None:
        raise InvalidInput(
            f'price file {path}: {name}: give "pricing" with "input_per_million_tokens" '
            'and "output_per_million_tokens"'
        )
    return _rates_of(price("input"), price("output"), price("cache_read"), price("cache_write"))
