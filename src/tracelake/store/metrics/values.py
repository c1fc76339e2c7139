"""Values of assessments as numbers and as words."""

import json
from typing import Any


def value_number(value: Any) -> float | None:
    """An assessment's value as a number: yes and true are 1, no and false 0, other words none."""
    match value:
        case bool():
            return float(value)
        case int() | float():
            return float(value)
        case str() if value.lower() in ("yes", "true"):
            return 1.0
        case str() if value.lower() in ("no", "false"):
            return 0.0
        case _:
            return None


def value_text(value: Any) -> str | None:
    """An assessment's value as a dimension."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
