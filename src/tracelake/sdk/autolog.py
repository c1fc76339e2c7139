"""Automatic spans for the libraries people use, through the installed OpenInference packages."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tracelake.sdk.client import Client, current
from tracelake.sdk.guard import logger
from tracelake.sdk.provider import NestingProvider

GROUP = "openinference_instrumentor"
"""Every OpenInference package names its instrumentor under this entry point, by library."""


def autolog(*libraries: str) -> tuple[str, ...]:
    """Trace these libraries' calls, or, without a name, every one that can be traced here.

    Gives the names that are traced from now on. A library that is not installed, or whose
    OpenInference package is not, is told in the log and left out; nothing is raised.
    """
    client = current()
    found = {point.name.replace("-", "_"): point for point in entry_points(group=GROUP)}
    wanted = [name.replace("-", "_") for name in libraries] or sorted(found)
    traced: list[str] = []
    for name in wanted:
        point = found.get(name)
        if point is None:
            package = f"openinference-instrumentation-{name.replace('_', '-')}"
            logger.warning("autolog(%r) does nothing: pip install %s", name, package)
            continue
        with client.guard:
            if _instrument(point, client, asked_for=bool(libraries)):
                traced.append(name)
    return tuple(traced)


def _instrument(point: EntryPoint, client: Client, *, asked_for: bool) -> bool:
    try:
        instrumentor: Any = point.load()()
    except ImportError as error:
        # The instrumentation is there but not the library it is for.
        if asked_for:
            logger.warning("autolog(%r) does nothing: %s", point.name, error)
        return False
    if instrumentor.is_instrumented_by_opentelemetry:
        return True
    conflict = instrumentor._check_dependency_conflicts()
    if conflict is not None:
        if asked_for:
            logger.warning("autolog(%r) does nothing: %s", point.name, conflict)
        return False
    instrumentor.instrument(tracer_provider=NestingProvider(client.provider))
    return bool(instrumentor.is_instrumented_by_opentelemetry)
