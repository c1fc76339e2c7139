"""What webhooks are told of changes in the registry, in MLflow's shapes: each in the transaction of
its change. A prompt is a model with a tag, and tells of itself as a prompt."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from tracelake.model.prompts import IS_PROMPT, is_prompt
from tracelake.model.webhooks import WebhookEvent
from tracelake.store.webhook_outbox import emit

_TEXT: Final = "mlflow.prompt.text"
_TYPE: Final = "_mlflow_prompt_type"


def model_created(
    connection: Connection, name: str, description: str, tags: Mapping[str, str]
) -> None:
    event = WebhookEvent.REGISTERED_MODEL_CREATED
    if is_prompt(tags):
        event, tags = WebhookEvent.PROMPT_CREATED, _without(tags, IS_PROMPT, _TYPE)
    emit(connection, event, {"name": name, "tags": tags, "description": description})


def version_created(
    connection: Connection,
    name: str,
    version: int,
    source: str,
    run_id: str | None,
    description: str,
    tags: Mapping[str, str],
) -> None:
    """Whether it is a prompt's is told by its own tags."""
    told = {"name": name, "version": str(version), "description": description or None}
    if is_prompt(tags):
        own = _without(tags, IS_PROMPT, _TYPE, _TEXT)
        template = {"template": tags.get(_TEXT), "tags": own}
        emit(connection, WebhookEvent.PROMPT_VERSION_CREATED, told | template)
    else:
        origin = {"source": source, "run_id": run_id, "tags": tags}
        emit(connection, WebhookEvent.MODEL_VERSION_CREATED, told | origin)


def model_tags_changed(
    connection: Connection,
    name: str,
    of_model: Mapping[str, str],
    changes: Mapping[str, str | None],
) -> None:
    """Nobody is told of tags of models that are no prompts. `of_model` are its tags by now."""
    if not is_prompt(of_model):
        return
    for key, value in changes.items():
        if value is None:
            emit(connection, WebhookEvent.PROMPT_TAG_DELETED, {"name": name, "key": key})
        else:
            told = {"name": name, "key": key, "value": value}
            emit(connection, WebhookEvent.PROMPT_TAG_SET, told)


def version_tags_changed(
    connection: Connection,
    name: str,
    version: int,
    of_model: Mapping[str, str],
    changes: Mapping[str, str | None],
) -> None:
    of_prompt = is_prompt(of_model)
    for key, value in changes.items():
        told = {"name": name, "version": str(version), "key": key}
        if value is None:
            emit(
                connection,
                WebhookEvent.PROMPT_VERSION_TAG_DELETED
                if of_prompt
                else WebhookEvent.MODEL_VERSION_TAG_DELETED,
                told,
            )
        else:
            emit(
                connection,
                WebhookEvent.PROMPT_VERSION_TAG_SET
                if of_prompt
                else WebhookEvent.MODEL_VERSION_TAG_SET,
                told | {"value": value},
            )


def alias_set(
    connection: Connection, name: str, alias: str, version: int, of_model: Mapping[str, str]
) -> None:
    emit(
        connection,
        WebhookEvent.PROMPT_ALIAS_CREATED
        if is_prompt(of_model)
        else WebhookEvent.MODEL_VERSION_ALIAS_CREATED,
        {"name": name, "alias": alias, "version": str(version)},
    )


def alias_deleted(
    connection: Connection, name: str, alias: str, of_model: Mapping[str, str]
) -> None:
    emit(
        connection,
        WebhookEvent.PROMPT_ALIAS_DELETED
        if is_prompt(of_model)
        else WebhookEvent.MODEL_VERSION_ALIAS_DELETED,
        {"name": name, "alias": alias},
    )


def _without(tags: Mapping[str, str], *keys: str) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in keys}
