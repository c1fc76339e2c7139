"""One HTTP request to the server, with the errors of the network as one exception."""

import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_S = 5.0


class Unreachable(Exception):
    """No answer: refused, timed out, or broken off."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Keeps one connection pool per thread and process. Requests carry the bearer token and are
    never traced themselves."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._local = threading.local()

    def request(
        self,
        method: str,
        url: str,
        *,
        token: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """The server's answer, whatever its status. Raises Unreachable when there is none."""
        import requests

        session = self._session()
        read_s = self.timeout_s if timeout_s is None else timeout_s
        try:
            with untraced():
                answer = session.request(
                    method,
                    url,
                    params=query,
                    data=body,
                    headers=headers,
                    # Given even without a token: otherwise a .netrc entry would replace the header.
                    auth=_Bearer(token),
                    timeout=(min(CONNECT_TIMEOUT_S, read_s), read_s),
                    allow_redirects=False,
                )
        except (requests.RequestException, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        return Answer(answer.status_code, answer.headers, answer.content)

    def _session(self) -> "requests.Session":
        import requests

        session: requests.Session | None = getattr(self._local, "session", None)
        # A forked child must not share its parent's sockets.
        if session is None or self._local.pid != os.getpid():
            session = requests.Session()
            self._local.session = session
            self._local.pid = os.getpid()
        return session


class _Bearer:
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: "requests.PreparedRequest") -> "requests.PreparedRequest":
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@contextmanager
def untraced() -> Generator[None, None, None]:
    """Tell OpenTelemetry's instrumentations to leave the calls inside alone."""
    key: str | None = getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    if key is None:
        yield
        return
    attached = otel_context.attach(otel_context.set_value(key, True))
    try:
        yield
    finally:
        otel_context.detach(attached)
