"""What webhooks are told of, in the words of MLflow's protocol, and what comes of telling."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from tracelake.model.entities import JsonValue


class WebhookEvent(StrEnum):
    """Every event there is: an entity, a dot, what happened to it."""

    REGISTERED_MODEL_CREATED = "registered_model.created"
    MODEL_VERSION_CREATED = "model_version.created"
    MODEL_VERSION_TAG_SET = "model_version_tag.set"
    MODEL_VERSION_TAG_DELETED = "model_version_tag.deleted"
    MODEL_VERSION_ALIAS_CREATED = "model_version_alias.created"
    MODEL_VERSION_ALIAS_DELETED = "model_version_alias.deleted"
    PROMPT_CREATED = "prompt.created"
    PROMPT_VERSION_CREATED = "prompt_version.created"
    PROMPT_TAG_SET = "prompt_tag.set"
    PROMPT_TAG_DELETED = "prompt_tag.deleted"
    PROMPT_VERSION_TAG_SET = "prompt_version_tag.set"
    PROMPT_VERSION_TAG_DELETED = "prompt_version_tag.deleted"
    PROMPT_ALIAS_CREATED = "prompt_alias.created"
    PROMPT_ALIAS_DELETED = "prompt_alias.deleted"
    BUDGET_POLICY_EXCEEDED = "budget_policy.exceeded"
    """Never happens here: budgets are of MLflow's gateway. It can be subscribed to, and tried."""

    @property
    def entity(self) -> str:
        return self.partition(".")[0]

    @property
    def action(self) -> str:
        return self.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one request to a webhook."""

    status: int | None
    """None where nothing answered."""
    body: str = ""
    """The beginning of the answer."""
    error: str = ""
    """Why nothing answered."""
    retry_after_s: float = 0
    """How long the receiver asks to be left alone."""

    @property
    def is_success(self) -> bool:
        """A redirect is none: it is not followed, so nobody has heard of the event."""
        return self.status is not None and 200 <= self.status < 300


def event_body(event: WebhookEvent, data: Mapping[str, JsonValue]) -> str:
    """The JSON that a webhook is sent, of now. All of it ASCII: what is signed is what is sent."""
    return json.dumps(
        {
            "entity": event.entity,
            "action": event.action,
            "timestamp": datetime.now(UTC).isoformat(),
            "data": data,
        }
    )
