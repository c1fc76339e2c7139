"""Answers compressed where the client takes that: texts of ours, not files of theirs."""

import re
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

_FILES: Final = re.compile(
    r"/(ajax-)?api/2\.0/(mlflow-artifacts|fs)/|/(model-versions/)?get-artifact\Z"
)


class Compression(GZipMiddleware):
    """Clients of a workspace hold the length of a file's answer against what they unpack."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _FILES.match(scope["path"]):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
