"""What the tags of an experiment say of how much it keeps."""

from typing import Final

from tracelake.model.errors import InvalidInput

DAYS_TAG: Final = "tracelake.retention.days"
TRACES_TAG: Final = "tracelake.retention.traces"
_MOST: Final = {DAYS_TAG: 36_500, TRACES_TAG: 10**12}


def read_limit(tag: str, text: str) -> int | None:
    """The value of a retention tag; None, which keeps all, for 0. Raises InvalidInput."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 13 or int(text) > _MOST[tag]:
        raise InvalidInput(
            f"tag {tag} is {text!r}: it is a whole number up to {_MOST[tag]}, and 0 keeps all"
        )
    return int(text) or None
