"""What an agent's environment is told to install: its own requirements, made to fit the server's.

The agent runs with the server's tracelake and its exporter. So a requirement of tracelake itself
stands for the extras it names, and OpenTelemetry comes in the server's version.
"""

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

_OWN = re.compile(r"tracelake\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?:[=<>!~;@ ].*)?\Z", re.IGNORECASE)
_EXTRA = re.compile(r"extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Lines of a requirements file and of a constraints file."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]


def fit(text: str) -> Wanted:
    """The lines to install for a requirements text, in one order whatever the order was."""
    lines = (line.strip() for line in text.splitlines())
    listed = [line for line in lines if line and not line.startswith("#")]
    installed = {each.name.lower(): each for each in distributions()}
    fitted: set[str] = set()
    for line in listed:
        own = _OWN.match(line)
        if own is None:
            fitted.add(line)
        else:
            fitted.update(_extras(installed.get("tracelake"), own["extras"] or ""))
    return Wanted(tuple(sorted(fitted)), tuple(_constraints(installed)) if fitted else ())


def _extras(tracelake: Distribution | None, names: str) -> list[str]:
    wanted = {name.strip().lower() for name in names.split(",")}
    found: list[str] = []
    for line in (tracelake.requires if tracelake else None) or []:
        requirement, _, marker = line.partition(";")
        extra = _EXTRA.search(marker)
        if extra is not None and extra["extra"].lower() in wanted:
            found.append(requirement.strip())
    return found


def _constraints(installed: dict[str, Distribution]) -> list[str]:
    pinned = [
        f"{name}=={each.version}"
        for name, each in installed.items()
        if name.startswith("opentelemetry-")
    ]
    proto = installed.get("opentelemetry-proto")
    needs = [line for line in (proto.requires if proto else None) or [] if ";" not in line]
    return sorted(pinned + needs)
