"""Feedback and expectations about a trace or one of its spans."""

import json
import traceback
from collections.abc import Mapping
from typing import Any

from tracelake.model.entities import AssessmentError, AssessmentSource, SourceType
from tracelake.model.errors import InvalidInput
from tracelake.model.ids import parse_trace_id
from tracelake.sdk.client import current
from tracelake.sdk.encode import clean_text, json_text
from tracelake.sdk.facts import fact_text
from tracelake.sdk.records import Assessment
from tracelake.sdk.rest import trace_path
from tracelake.sdk.writing import send

STACK_CHARS = 10_000


def log_feedback(
    *,
    trace_id: str,
    name: str = "feedback",
    value: Any = None,
    source: AssessmentSource | None = None,
    error: Exception | AssessmentError | str | None = None,
    rationale: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    span_id: str | None = None,
) -> Assessment:
    """Record a judgement: a person's, a judge's or a program's. The default source is CODE.

    Raises InvalidInput for a malformed id, an empty name, or neither value nor error. A server
    that is away never raises: the feedback is sent later, or counted as lost.
    """
    if value is None and error is None:
        raise InvalidInput("feedback needs a value or an error")
    failure = _assessment_error(error)
    body: dict[str, Any] = {"value": _json_value(value)}
    if failure is not None:
        body["error"] = {
            "error_code": failure.error_code,
            "error_message": failure.error_message,
            "stack_trace": failure.stack_trace,
        }
    given = Assessment(
        name=name,
        value=value,
        kind="feedback",
        trace_id=trace_id,
        source=source or AssessmentSource(SourceType.CODE),
        span_id=span_id,
        rationale=rationale,
        metadata=_metadata(metadata),
        error=failure,
    )
    return _log(given, body)


def log_expectation(
    *,
    trace_id: str,
    name: str,
    value: Any,
    source: AssessmentSource | None = None,
    metadata: Mapping[str, Any] | None = None,
    span_id: str | None = None,
) -> Assessment:
    """Record what the right answer is. The default source is HUMAN. Raises as `log_feedback`."""
    if value is None:
        raise InvalidInput("an expectation needs a value")
    given = Assessment(
        name=name,
        value=value,
        kind="expectation",
        trace_id=trace_id,
        source=source or AssessmentSource(SourceType.HUMAN),
        span_id=span_id,
        metadata=_metadata(metadata),
    )
    return _log(given, {"value": _json_value(value)})


def _log(given: Assessment, value: dict[str, Any]) -> Assessment:
    parse_trace_id(given.trace_id)
    if not given.name:
        raise InvalidInput("an assessment needs a name")
    body: dict[str, Any] = {
        "name": given.name,
        given.kind: value,
        "source": {
            "source_type": str(given.source.source_type),
            "source_id": given.source.source_id,
        },
        "metadata": given.metadata,
    }
    optional = {"rationale": given.rationale, "span_id": given.span_id}
    body.update({key: each for key, each in optional.items() if each is not None})
    client = current()
    answer: dict[str, Any] = {}
    with client.guard:
        path = trace_path(given.trace_id, "assessments")
        answer = send(client, given.trace_id, "POST", path, body)
    return Assessment.from_json(answer) if answer else given


def _json_value(value: object) -> Any:
    """What JSON can carry of a value; bytes and special floats tagged, as everywhere."""
    return json.loads(json_text(value))


def _metadata(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): fact_text(value) for key, value in (metadata or {}).items()}


def _assessment_error(error: Exception | AssessmentError | str | None) -> AssessmentError | None:
    match error:
        case None | AssessmentError():
            return error
        case str():
            return AssessmentError("ASSESSMENT_ERROR", clean_text(error))
        case _:
            stack = clean_text("".join(traceback.format_exception(error)))
            return AssessmentError(
                type(error).__name__, clean_text(str(error)), stack[-STACK_CHARS:]
            )
