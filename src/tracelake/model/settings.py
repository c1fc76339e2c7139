"""One record type for every setting, shared by the SDK's table and the server's.

A table is a tuple of `Setting`. `load` is the only code that reads the environment; command line
options, validation and the reference page are made from the same rows.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tracelake.model.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is the text a user would write; `parse` turns text into the value."""

    name: str
    env: str
    parse: Callable[[str], Any]
    default: str
    help: str


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """A parser for whole numbers within bounds, both included."""

    def parse(text: str) -> int:
        value = int(text)
        if not minimum <= value <= maximum:
            raise ValueError(f"must be between {minimum} and {maximum}")
        return value

    return parse


def boolean(text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off" | "":
            return False
        case _:
            raise ValueError("must be true or false")


def load(
    table: tuple[Setting, ...],
    given: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Values by setting name: `given` (command line, code) first, then environment, then default.

    Raises InvalidInput naming the setting, where its text came from, and what was wrong.
    """
    given = given or {}
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for setting in table:
        text = given.get(setting.name)
        source = setting.name
        if text is None and setting.env in environ:
            text, source = environ[setting.env], setting.env
        if text is None:
            text = setting.default
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            raise InvalidInput(f"{source}={text!r}: {error}. {setting.help}") from error
    return values
