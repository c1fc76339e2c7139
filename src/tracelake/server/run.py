"""Run the server until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from tracelake.model.errors import InvalidInput
from tracelake.server.app import FrontDoor, create_app
from tracelake.server.collector import calm_collector
from tracelake.server.connection import Connection
from tracelake.server.home import hold_home
from tracelake.server.logs import log_to_stderr
from tracelake.server.settings import ServerSettings

_BACKLOG = 2048


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready, and stops agents before it stops listening."""

    def __init__(
        self, config: uvicorn.Config, door: FrontDoor, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._door = door
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._door.stop_agents()
        await super().shutdown(sockets)


def run_server(settings: ServerSettings, on_ready: Callable[[], None] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. `on_ready` runs once it listens."""
    log_to_stderr(settings.log_level)

    def ready() -> None:
        print(f"Tracelake is ready: {settings.base_url}", flush=True)  # noqa: T201
        if on_ready is not None:
            on_ready()

    with hold_home(settings.home), _listen(settings.host, settings.port, "--port") as listener:
        if settings.otlp_grpc_port:
            # gRPC opens its port itself, and late; whether it can is said now.
            _listen(settings.host, settings.otlp_grpc_port, "--otlp-grpc-port").close()
        return _serve(settings, listener, ready)


def _serve(settings: ServerSettings, listener: socket.socket, ready: Callable[[], None]) -> int:
    door = create_app(settings)
    calm_collector()
    protocol: Any = Connection  # Typed narrower than what is done with it.
    config = uvicorn.Config(
        door,
        loop="auto",
        http=protocol,
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    server = _Server(config, door, ready)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        try:
            runner.run(server.serve([listener]))
        except KeyboardInterrupt:
            return 0
    return 0 if server.started else 1


def _listen(host: str, port: int, option: str) -> socket.socket:
    """The socket, before anything else is started. Raises InvalidInput where it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidInput(
            f"cannot listen on {host} port {port}: {error.strerror}. "
            f"Name others with --host and {option}."
        ) from error
