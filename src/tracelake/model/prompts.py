"""What tells a prompt from a model in a registry: MLflow keeps both in one."""

from collections.abc import Mapping
from typing import Final

IS_PROMPT: Final = "mlflow.prompt.is_prompt"


def is_prompt(tags: Mapping[str, str]) -> bool:
    return tags.get(IS_PROMPT, "").lower() == "true"
