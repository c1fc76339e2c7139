"""Traces read back from the server: by id, and by filter."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, overload

from tracelake.model.errors import InvalidInput, NotFound
from tracelake.sdk.client import Client, current
from tracelake.sdk.guard import logger
from tracelake.sdk.records import Trace
from tracelake.sdk.rest import trace_path

if TYPE_CHECKING:
    import pandas as pd

PAGE_TRACES = 500
PAGE_SPANS = 1000
FLUSH_S = 10.0
"""How long a read waits for this process's own spans to be with the server."""
READ_THREADS = 8


def get_trace(trace_id: str) -> Trace | None:
    """The trace with its spans, this process's own included; None where there is no such trace.

    Raises Unavailable when the server does not answer, PermissionDenied when it refuses.
    """
    client = current()
    client.outbox.flush(FLUSH_S)
    try:
        info = client.rest.call(client.destination, "GET", trace_path(trace_id))
        return Trace.from_json(info, _spans(client, str(info["trace_id"])))
    except NotFound:
        logger.warning("There is no trace %s at %s", trace_id, client.destination.tracking_uri)
        return None


@overload
def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = 100,
    order_by: list[str] | None = None,
    return_type: Literal["list"] = "list",
    include_spans: bool = True,
) -> list[Trace]: ...
@overload
def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = 100,
    order_by: list[str] | None = None,
    *,
    return_type: Literal["pandas"],
    include_spans: bool = True,
) -> "pd.DataFrame": ...


def search_traces(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    max_results: int | None = 100,
    order_by: list[str] | None = None,
    return_type: Literal["list", "pandas"] = "list",
    include_spans: bool = True,
) -> "list[Trace] | pd.DataFrame":
    """Traces that match, newest first. Without `experiment_ids`: those of the current experiment.

    `max_results=None` means all. Raises InvalidFilter with the column of the mistake, Unavailable
    when the server does not answer.
    """
    if return_type not in ("list", "pandas"):
        raise InvalidInput(f"return_type is 'list' or 'pandas', not {return_type!r}")
    client = current()
    client.outbox.flush(FLUSH_S)
    if experiment_ids is None:
        own = client.rest.experiment_id(client.destination, create=False)
        experiment_ids = [] if own is None else [own]
    infos = _search(client, experiment_ids, filter_string, max_results, order_by)
    if include_spans and infos:
        with ThreadPoolExecutor(READ_THREADS, "tracelake-read") as pool:
            ids = [str(info["trace_id"]) for info in infos]
            spans = list(pool.map(functools.partial(_spans, client), ids))
    else:
        spans = [list[dict[str, Any]]() for _ in infos]
    traces = [Trace.from_json(info, each) for info, each in zip(infos, spans, strict=True)]
    return _frame(traces) if return_type == "pandas" else traces


def _search(
    client: Client,
    experiment_ids: list[str],
    filter_string: str | None,
    max_results: int | None,
    order_by: list[str] | None,
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token: str | None = None
    while experiment_ids and (max_results is None or len(found) < max_results):
        left = PAGE_TRACES if max_results is None else max_results - len(found)
        body: dict[str, Any] = {
            "experiment_ids": [str(each) for each in experiment_ids],
            "max_results": min(PAGE_TRACES, left),
        }
        optional = {"filter": filter_string, "order_by": order_by, "page_token": token}
        body.update({key: value for key, value in optional.items() if value})
        page = client.rest.call(client.destination, "POST", "/api/v1/traces/search", body)
        found.extend(page.get("traces") or ())
        token = page.get("next_page_token")
        if not token:
            break
    return found


def _spans(client: Client, trace_id: str) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        query = {"view": "full", "max_results": str(PAGE_SPANS)}
        if token:
            query["page_token"] = token
        path = trace_path(trace_id, "spans")
        page = client.rest.call(client.destination, "GET", path, query=query)
        spans.extend(_whole(client, span) for span in page.get("spans") or ())
        token = page.get("next_page_token")
        if not token:
            return spans


def _whole(client: Client, span: dict[str, Any]) -> dict[str, Any]:
    """The span with its large values, for which a page has markers."""
    held = [span["attributes"], *(event["attributes"] for event in span["events"])]
    values = [value for attributes in held for value in attributes.values()]
    if not any(isinstance(value, dict) and "$large" in value for value in values):
        return span
    path = trace_path(span["trace_id"], "spans", span["span_id"])
    return client.rest.call(client.destination, "GET", path, query={"whole": "true"})


COLUMNS = (
    "trace_id",
    "trace",
    "client_request_id",
    "state",
    "request_time",
    "execution_duration",
    "request",
    "response",
    "trace_metadata",
    "tags",
    "spans",
    "assessments",
)


def _frame(traces: list[Trace]) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        raise InvalidInput(
            "return_type='pandas' needs pandas: pip install 'tracelake[pandas]'"
        ) from error
    rows = [_row(trace) for trace in traces]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(trace: Trace) -> dict[str, Any]:
    info, root = trace.info, trace.data.root
    return {
        "trace_id": info.trace_id,
        "trace": trace.to_json(),
        "client_request_id": info.client_request_id,
        "state": str(info.state),
        "request_time": info.request_time,
        "execution_duration": info.execution_duration,
        "request": info.request_preview if root is None else root.inputs,
        "response": info.response_preview if root is None else root.outputs,
        "trace_metadata": info.trace_metadata,
        "tags": info.tags,
        "spans": trace.source["data"]["spans"],
        "assessments": trace.source["info"].get("assessments") or [],
    }
