"""Assessments of traces: `3.0/mlflow/traces/{trace_id}/assessments`."""

import json
from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.mlflow_api.times import format_time_ms, parse_time_ms
from tracelake.model.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    JsonValue,
    SourceType,
)
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.jsonvalue import as_list, as_object, checked
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import AssessmentChange, Assessments, NewAssessment
from tracelake.web.answer import JsonAnswer

_FORMAT = "JSON_FORMAT"


class SourceMessage(Message):
    source_type: Literal["HUMAN", "LLM_JUDGE", "CODE", "AI_JUDGE"] = "CODE"
    source_id: Text = "default"

    def to_source(self) -> AssessmentSource:
        # An older word for the same.
        word = "LLM_JUDGE" if self.source_type == "AI_JUDGE" else self.source_type
        return AssessmentSource(SourceType(word), self.source_id or "default")


class ErrorMessage(Message):
    error_code: Text
    error_message: Text | None = None
    stack_trace: Text | None = None


class FeedbackMessage(Message):
    value: Any = None
    error: ErrorMessage | None = None


class SerialisedValue(Message):
    serialization_format: Text = _FORMAT
    value: Text


class ExpectationMessage(Message):
    value: Any = None
    serialized_value: SerialisedValue | None = None


class IssueMessage(Message):
    issue_name: Text = ""


class AssessmentMessage(Message):
    assessment_name: Text | None = None
    source: SourceMessage = Field(default_factory=SourceMessage)
    span_id: Text | None = None
    create_time: Text | None = None
    feedback: FeedbackMessage | None = None
    expectation: ExpectationMessage | None = None
    issue: IssueMessage | None = None
    rationale: Text | None = None
    metadata: dict[str, str] = {}
    overrides: Text | None = None

    def to_new(self) -> NewAssessment:
        """Raises InvalidInput unless it is exactly one of feedback, expectation and issue."""
        kind, value, error = self.body()
        if not self.assessment_name:
            raise InvalidInput("assessment.assessment_name: Field required")
        return NewAssessment(
            self.assessment_name,
            kind,
            value,
            self.source.to_source(),
            self.rationale,
            self.metadata,
            self.span_id or None,
            error,
            self.overrides or None,
            parse_time_ms(self.create_time) if self.create_time else None,
        )

    def body(self) -> tuple[str, JsonValue, AssessmentError | None]:
        """Kind, value, and error of feedback."""
        kinds = [each for each in (self.feedback, self.expectation, self.issue) if each is not None]
        if len(kinds) != 1:
            raise InvalidInput("assessment: give one of feedback, expectation and issue")
        match kinds[0]:
            case FeedbackMessage(value=value, error=told):
                error = told and AssessmentError(
                    told.error_code, told.error_message, told.stack_trace
                )
                return "feedback", checked(value), error
            case ExpectationMessage(value=value, serialized_value=text):
                return "expectation", checked(value if text is None else _parsed(text)), None
            case IssueMessage(issue_name=name):
                return "issue", name, None


class NewMessage(Message):
    assessment: AssessmentMessage


class Update(NewMessage):
    update_mask: Text = ""
    """Names in camelCase, joined by commas."""


def add_assessments(routes: APIRouter, assessments: Assessments) -> None:
    base = "/3.0/mlflow/traces/{trace_id}/assessments"

    @routes.post(base)
    @requires(Permission.WRITE_TRACES)
    def create(trace_id: str, body: NewMessage) -> JsonAnswer:
        return _answer(assessments.add(trace_id, body.assessment.to_new()))

    @routes.get(base + "/{assessment_id}")
    @requires(Permission.READ_TRACES)
    def get(trace_id: str, assessment_id: str) -> JsonAnswer:
        return _answer(assessments.get(trace_id, assessment_id))

    @routes.patch(base + "/{assessment_id}")
    @requires(Permission.WRITE_TRACES)
    def change(trace_id: str, assessment_id: str, body: Update) -> JsonAnswer:
        before = assessments.get(trace_id, assessment_id)
        fields = _changed(before, body.assessment, body.update_mask)
        return _answer(assessments.update(trace_id, assessment_id, AssessmentChange(fields)))

    @routes.delete(base + "/{assessment_id}")
    @requires(Permission.WRITE_TRACES)
    def delete(trace_id: str, assessment_id: str) -> JsonAnswer:
        """Deleting what is not there is no error: clients may not have heard the first answer."""
        with suppress(NotFound):
            assessments.delete(trace_id, assessment_id)
        return JsonAnswer({})


def _changed(before: Assessment, told: AssessmentMessage, mask: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in filter(None, mask.split(",")):
        match name:
            case "assessmentName" | "assessment_name":
                fields["name"] = told.assessment_name or ""
            case "rationale":
                fields["rationale"] = told.rationale
            case "metadata":
                fields["metadata"] = before.metadata | told.metadata
            case "feedback" | "expectation":
                kind, value, error = told.body()
                if kind != before.kind:
                    raise InvalidInput(
                        f"assessment {before.assessment_id} is {before.kind}; it cannot take {kind}"
                    )
                fields["value"] = value
                fields["error"] = error and {
                    "error_code": error.error_code,
                    "error_message": error.error_message,
                    "stack_trace": error.stack_trace,
                }
            case "valid":
                pass
            case _:
                raise InvalidInput(f"update_mask: {name!r} cannot be changed")
    return fields


def _answer(assessment: Assessment) -> JsonAnswer:
    return JsonAnswer({"assessment": assessment_message(assessment)})


def assessment_message(assessment: Assessment) -> dict[str, Any]:
    error = assessment.error
    told = said(
        assessment_id=assessment.assessment_id,
        assessment_name=assessment.name,
        trace_id=assessment.trace_id,
        span_id=assessment.span_id,
        source={
            "source_type": str(assessment.source.source_type),
            "source_id": assessment.source.source_id,
        },
        create_time=format_time_ms(assessment.create_time_ms),
        last_update_time=format_time_ms(assessment.last_update_time_ms),
        rationale=assessment.rationale,
        metadata=assessment.metadata or None,
        overrides=assessment.overrides,
        valid=assessment.valid,
    )
    match assessment.kind:
        case "feedback":
            body: dict[str, Any] = {"value": assessment.value}
            if error is not None:
                body["error"] = said(
                    error_code=error.error_code,
                    error_message=error.error_message,
                    stack_trace=error.stack_trace,
                )
            told["feedback"] = body
        case "expectation" if _is_structure(assessment.value):
            text = json.dumps(assessment.value)
            told["expectation"] = {
                "serialized_value": {"serialization_format": _FORMAT, "value": text}
            }
        case "expectation":
            told["expectation"] = {"value": assessment.value}
        case _:
            told["issue"] = {"issue_name": assessment.value}
    return told


def _is_structure(value: JsonValue) -> bool:
    return as_object(value) is not None or as_list(value) is not None


def _parsed(text: SerialisedValue) -> JsonValue:
    try:
        return json.loads(text.value)
    except ValueError as error:
        raise InvalidInput(f"expectation.serialized_value: not JSON: {error}") from error
