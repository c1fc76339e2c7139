"""Page tokens: where the last page ended. Opaque to callers, checked when they come back."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from tracelake.model.errors import InvalidInput
from tracelake.model.jsonvalue import as_list
from tracelake.model.text import is_storable


def search_scope(filter: str, experiment_ids: Sequence[str] | None) -> str:
    """Names what is searched, in the tokens of its pages."""
    return f"{filter}:{'*' if experiment_ids is None else ','.join(sorted(experiment_ids))}:"


def encode_token(order: str, values: Sequence[Any]) -> str:
    """A token for a page that ended at `values`, in an order that has this name."""
    text = json.dumps([order, *values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str, order: str, types: Sequence[type | tuple[type, ...]]) -> list[Any]:
    """The values of a token. Raises InvalidInput when it is not one, or is of another order."""
    try:
        padded = token + "=" * (-len(token) % 4)
        told = as_list(json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidInput("page_token is not one that this server gave out") from error
    if not told or told[0] != order:
        raise InvalidInput(
            "page_token belongs to another query: keep the filter, the experiments and the order, "
            "or leave it out"
        )
    values = told[1:]
    if len(values) != len(types) or not all(map(_fits, values, types)):
        raise InvalidInput("page_token is not one that this server gave out")
    return values


def _fits(value: Any, wanted: type | tuple[type, ...]) -> bool:
    if isinstance(value, int) and abs(value) >= 2**63:
        return False
    if isinstance(value, str) and not is_storable(value):
        return False
    return isinstance(value, wanted) and not isinstance(value, bool)
