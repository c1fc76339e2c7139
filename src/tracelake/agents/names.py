"""What agents and endpoints may be called."""

import re

from tracelake.model.errors import InvalidInput

MAX_ENDPOINT_CHARS = 63
_AGENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*){2}\Z")
_ENDPOINT = re.compile(r"[A-Za-z0-9_-]{1,63}\Z")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
_RESERVED_PREFIX = "TRACELAKE_"


def check_agent_name(name: str) -> str:
    """The name itself. Raises InvalidInput unless it has three levels, as main.support.airline."""
    if len(name) > 255 or _AGENT.match(name) is None:
        raise InvalidInput(
            f"{name!r} is not an agent name: it has three parts of letters, digits, '_' and '-', "
            "separated by dots, such as main.support.airline"
        )
    return name


def check_endpoint_name(name: str) -> str:
    """The name itself. Raises InvalidInput unless it is 1 to 63 letters, digits, `_` and `-`."""
    if _ENDPOINT.match(name) is None:
        raise InvalidInput(
            f"{name!r} is not an endpoint name: it has 1 to {MAX_ENDPOINT_CHARS} letters, digits, "
            "'_' and '-'"
        )
    return name


def default_endpoint_name(agent_name: str) -> str:
    """`agents_` and the agent's name with dashes for dots, cut to 63 characters."""
    return ("agents_" + agent_name.replace(".", "-"))[:MAX_ENDPOINT_CHARS]


def short_name(agent_name: str) -> str:
    """The last part of a three-level name."""
    return agent_name.rsplit(".", 1)[-1]


def served_model_name(agent_name: str, version: int) -> str:
    """What one version is called behind an endpoint: `main-support-airline_3`."""
    suffix = f"_{version}"
    return agent_name.replace(".", "-")[: MAX_ENDPOINT_CHARS - len(suffix)] + suffix


def check_environment(environment: dict[str, str]) -> dict[str, str]:
    """The variables themselves. Raises InvalidInput for a name the agent cannot be given."""
    for name in environment:
        if _VARIABLE.match(name) is None:
            raise InvalidInput(
                f"environment variable {name!r}: names have upper-case letters, digits and '_'"
            )
        if name.startswith(_RESERVED_PREFIX):
            raise InvalidInput(
                f"environment variable {name!r}: names that begin with {_RESERVED_PREFIX} are set "
                "by the server"
            )
    return environment
