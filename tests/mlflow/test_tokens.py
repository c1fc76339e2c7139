"""MLflow's own clients against a server that asks for tokens, by its own address and as if it were
a workspace; and what they are told when a token is bad, has expired or was revoked."""

import pytest

from tests.mlflow.conftest import ClientEnvironment, Guarded


def test_a_token_is_asked_for(newest_environment: ClientEnvironment, guarded: Guarded) -> None:
    good, _ = guarded.token("--comment", "tests")
    revoked, revoked_id = guarded.token()
    guarded.command("revoke", revoked_id)
    expired, _ = guarded.token("--days", "0.0000001")
    newest_environment.run_tests(
        guarded.server,
        "test_login.py",
        GOOD_TOKEN=good,
        REVOKED_TOKEN=revoked,
        EXPIRED_TOKEN=expired,
        OWNER="ann",
    )


@pytest.mark.parametrize("by", ["token", "client secret"])
def test_a_workspace_is_what_clients_take_it_for(
    newest_environment: ClientEnvironment, guarded: Guarded, by: str
) -> None:
    if by == "token":
        told = {"DATABRICKS_TOKEN": guarded.token()[0]}
    else:
        client_id, secret, _ = guarded.client_secret()
        told = {"DATABRICKS_CLIENT_ID": client_id, "DATABRICKS_CLIENT_SECRET": secret}
    newest_environment.run_tests(
        guarded.server, "test_workspace.py", DATABRICKS_HOST=guarded.server.url, **told
    )


def test_a_workspace_refuses_what_proves_nothing(
    newest_environment: ClientEnvironment, guarded: Guarded
) -> None:
    client_id, secret, secret_id = guarded.client_secret()
    guarded.command("revoke", secret_id)
    revoked, revoked_id = guarded.token()
    guarded.command("revoke", revoked_id)
    expired, _ = guarded.token("--days", "0.0000001")
    for told in (
        {"DATABRICKS_TOKEN": "made-up"},
        {"DATABRICKS_TOKEN": revoked},
        {"DATABRICKS_TOKEN": expired},
        {"DATABRICKS_CLIENT_ID": client_id, "DATABRICKS_CLIENT_SECRET": secret},
        {"DATABRICKS_CLIENT_ID": client_id, "DATABRICKS_CLIENT_SECRET": "made-up"},
    ):
        newest_environment.run_tests(
            guarded.server, "refused_workspace.py", DATABRICKS_HOST=guarded.server.url, **told
        )
