"""Two kinds of client: those of an MLflow server, and those that take this for a workspace."""

from typing import Final

from starlette.requests import Request

OWN: Final = "mlflow-artifacts:"
OF_WORKSPACE: Final = "dbfs:/databricks/mlflow-tracking"


def is_of_workspace(request: Request) -> bool:
    """Whether the client was told `databricks`: it sends spans and files another way."""
    headers = request.headers
    return "databricks-sdk-py" in headers.get("user-agent", "") or "x-databricks-org-id" in headers


def artifact_root(request: Request) -> str:
    """The URI of the server's own place for files, in words that this client can use."""
    return OF_WORKSPACE if is_of_workspace(request) else OWN
