"""What keys of tags, parameters and metrics may look like: some clients keep them as paths."""

import re
from typing import Final

from tracelake.model.errors import InvalidInput

KEY_CHARS: Final = 250
_PLAIN: Final = re.compile(r"[\w.\- :/]+")


def check_key(what: str, key: str) -> None:
    """Raises InvalidInput."""
    if not key or len(key) > KEY_CHARS:
        raise InvalidInput(f"the key of a {what} has 1 to {KEY_CHARS} characters, not {key[:80]!r}")
    if not _PLAIN.fullmatch(key):
        raise InvalidInput(
            f"the key of a {what} has letters, digits, spaces and _ - . : / only, not {key!r}"
        )
    if key.startswith("..") or any(part in ("", ".", "..") for part in key.split("/")):
        raise InvalidInput(f"the key of a {what} may be kept as a path, which {key!r} cannot be")
