"""What every route of the protocol does: bodies of any client, answers and errors as MLflow's.

Answers are 200, or errors whose code the client knows; it takes a server's error for a reason to
ask seven times, so what the caller did wrong is never one.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from tracelake.model.errors import AlreadyExists, InvalidInput, QueryTimeout, TracelakeError
from tracelake.model.text import encodable
from tracelake.web.bounded import bounded
from tracelake.web.errors import answer_error, invalid_input

_BAD_REQUEST: Final = (AlreadyExists, InvalidInput, QueryTimeout)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

Text = Annotated[str, StringConstraints(max_length=1_000_000)]
Payload = Annotated[
    Text,
    BeforeValidator(lambda told: encodable(told) if isinstance(told, str) else told),
]
"""What users' programs said, who may cut a text in the middle of a character."""


class Message(BaseModel):
    """A body. What a client of another version sends beside it is left alone."""

    model_config = ConfigDict(extra="ignore")


class Tag(Message):
    key: Text
    value: Text = ""


def to_map(tags: list[Tag]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}


def from_map(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def said(**fields: Any) -> dict[str, Any]:
    """A message without the fields that are not set."""
    return {name: value for name, value in fields.items() if value is not None}


def _answering(handle: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except RequestValidationError as error:
            return _refuse(invalid_input(error))
        except TracelakeError as error:
            return _refuse(error)

    return answer


class StreamRoute(APIRoute):
    """A route whose body is read as it comes, in its own time."""

    def get_route_handler(self) -> Handler:
        return _answering(super().get_route_handler())


def mlflow_route(timeout_s: float) -> type[APIRoute]:
    """A route class whose questions take `timeout_s` at most."""

    class MlflowRoute(bounded(timeout_s)):
        def get_route_handler(self) -> Handler:
            return _answering(super().get_route_handler())

    return MlflowRoute


def _refuse(error: TracelakeError) -> Response:
    return answer_error(error, 400 if isinstance(error, _BAD_REQUEST) else None)
