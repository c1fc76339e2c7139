"""Assessments from their JSON, and back into the store's terms."""

from typing import Any

from tracelake.model.entities import AssessmentError, AssessmentSource, SourceType
from tracelake.model.errors import InvalidInput
from tracelake.model.jsonvalue import checked
from tracelake.query.shapes import (
    AssessmentPatch,
    Expectation,
    Feedback,
    NewAssessmentShape,
)
from tracelake.store.api import AssessmentChange, NewAssessment


def new_assessment(shape: NewAssessmentShape) -> NewAssessment:
    """Raises InvalidInput unless exactly one of feedback and expectation is there."""
    kind, body = _one_of(shape.feedback, shape.expectation)
    is_feedback = isinstance(body, Feedback)
    if shape.source is not None:
        source = AssessmentSource(SourceType(shape.source.source_type), shape.source.source_id)
    else:
        source = AssessmentSource(SourceType.CODE if is_feedback else SourceType.HUMAN)
    if is_feedback and body.value is None and body.error is None:
        raise InvalidInput("feedback needs a value, or an error that says why there is none")
    if not is_feedback and body.value is None:
        raise InvalidInput("an expectation needs a value")
    return NewAssessment(
        name=shape.name,
        kind=kind,
        value=checked(body.value),
        source=source,
        rationale=shape.rationale,
        metadata=shape.metadata,
        span_id=shape.span_id,
        error=_error(body),
        overrides=shape.overrides,
    )


def assessment_change(shape: AssessmentPatch) -> AssessmentChange:
    """The fields that the caller named, and no others."""
    given = shape.model_fields_set
    fields: dict[str, Any] = {}
    if "name" in given:
        fields["name"] = shape.name or ""
    if "rationale" in given:
        fields["rationale"] = shape.rationale
    if "metadata" in given:
        fields["metadata"] = shape.metadata or {}
    if "feedback" in given or "expectation" in given:
        _, body = _one_of(shape.feedback, shape.expectation)
        fields["value"] = checked(body.value)
        error = _error(body)
        fields["error"] = error and {
            "error_code": error.error_code,
            "error_message": error.error_message,
            "stack_trace": error.stack_trace,
        }
    if not fields:
        raise InvalidInput("name what to change: name, feedback, expectation, rationale, metadata")
    return AssessmentChange(fields)


def _one_of(
    feedback: Feedback | None, expectation: Expectation | None
) -> tuple[str, Feedback | Expectation]:
    if feedback is not None and expectation is None:
        return "feedback", feedback
    if expectation is not None and feedback is None:
        return "expectation", expectation
    raise InvalidInput("an assessment is either feedback or an expectation: give exactly one")


def _error(body: Feedback | Expectation) -> AssessmentError | None:
    told = body.error if isinstance(body, Feedback) else None
    if told is None:
        return None
    return AssessmentError(told.error_code, told.error_message, told.stack_trace)
