"""Issues: `3.0/mlflow/issues`."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.issues import Issue, Issues, NewIssue
from tracelake.web.answer import JsonAnswer

_BASE = "/3.0/mlflow/issues"


class NewIssueMessage(Message):
    experiment_id: Text
    name: Text
    description: Text = ""
    status: Text = "pending"
    severity: Text | None = None
    root_causes: list[Text] = []
    categories: list[Text] = []
    source_run_id: Text | None = None
    created_by: Text | None = None


class IssueUpdate(Message):
    name: Text | None = None
    description: Text | None = None
    status: Text | None = None
    severity: Text | None = None


class Search(Message):
    experiment_id: Text | None = None
    filter_string: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=1000)] = 100
    page_token: Text | None = None


def add_issues(routes: APIRouter, issues: Issues) -> None:
    @routes.post(_BASE)
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewIssueMessage) -> JsonAnswer:
        return _answer(issues.create(NewIssue(**body.model_dump())))

    @routes.post(_BASE + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(body: Search) -> JsonAnswer:
        query = ListQuery(body.filter_string or "", (), body.max_results, body.page_token or None)
        page = issues.find(body.experiment_id or None, query)
        return JsonAnswer(
            said(
                issues=[_message(issue) for issue in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.get(_BASE + "/{issue_id}")
    @requires(Permission.READ_EXPERIMENTS)
    def get(issue_id: str) -> JsonAnswer:
        return _answer(issues.get(issue_id))

    @routes.patch(_BASE + "/{issue_id}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def update(issue_id: str, body: IssueUpdate) -> JsonAnswer:
        return _answer(issues.update(issue_id, body.model_dump(exclude_none=True)))


def _answer(issue: Issue) -> JsonAnswer:
    return JsonAnswer({"issue": _message(issue)})


def _message(issue: Issue) -> dict[str, Any]:
    return said(
        issue_id=issue.issue_id,
        experiment_id=issue.experiment_id,
        name=issue.name,
        description=issue.description,
        status=issue.status,
        severity=issue.severity,
        root_causes=issue.root_causes,
        categories=issue.categories,
        source_run_id=issue.source_run_id,
        created_timestamp=issue.creation_time_ms,
        last_updated_timestamp=issue.last_update_time_ms,
        created_by=issue.created_by,
        trace_count=issue.trace_count,
    )
