"""The SDK of one process, put together: settings, provider, queue, delivery. One object, made at
first use, held here and nowhere else."""

import atexit
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace.id_generator import IdGenerator

from tracelake.model.errors import InvalidInput
from tracelake.sdk.attributes import TRACE_TAG_PREFIX
from tracelake.sdk.delivery import Delivery, Finished, Write
from tracelake.sdk.destination import Destination
from tracelake.sdk.encode import json_text
from tracelake.sdk.guard import Guard, Losses
from tracelake.sdk.http import Http
from tracelake.sdk.outbox import Outbox
from tracelake.sdk.provider import make_provider, sdk_version
from tracelake.sdk.rest import Rest
from tracelake.sdk.settings import SdkSettings, load_settings
from tracelake.sdk.traces import OpenTraces


class Client:
    """Everything the SDK needs to record and deliver. Use `current()`; tests make their own.

    `deliver`, where given, takes the place of the network (test kits, benchmarks).
    """

    def __init__(
        self,
        settings: SdkSettings,
        *,
        guard: Guard | None = None,
        deliver: Callable[[Sequence[Finished | Write]], None] | None = None,
        ids: IdGenerator | None = None,
    ) -> None:
        self.settings = settings
        self.guard = guard or Guard()
        self.guard.strict = settings.raise_errors
        self.losses = Losses()
        self._lost_at_flush = 0
        self.destination = Destination(
            settings.tracking_uri,
            settings.tracking_token,
            settings.experiment_name,
            settings.experiment_id,
        )
        http = Http(settings.request_timeout_ms / 1000)
        self.rest = Rest(http)
        self.delivery = Delivery(http, self.losses, retry_s=settings.retry_ms / 1000)
        self.outbox: Outbox[Finished | Write] = Outbox(
            deliver or self.delivery.deliver,
            self.losses,
            self.guard,
            max_items=settings.queue_spans,
            max_bytes=settings.queue_bytes,
            batch_items=settings.batch_spans,
            batch_bytes=settings.batch_bytes,
            delay_s=settings.delay_ms / 1000,
        )
        self.delivery.pause = self.outbox.pause
        self.open_traces = OpenTraces(
            self.outbox.put,
            lambda: self.destination,
            {TRACE_TAG_PREFIX + key: value for key, value in settings.trace_tags.items()},
            self.guard,
        )
        self.provider = make_provider(self.open_traces, settings.service_name, ids)
        self.tracer: Tracer | Any = self.provider.get_tracer("tracelake", sdk_version())

    def text(self, value: object) -> str:
        """Inputs or outputs as JSON text, within the settings' length."""
        return json_text(value, self.settings.value_chars)

    def aim(self, **changes: str) -> None:
        """Send the traces that start from now on elsewhere."""
        self.destination = replace(self.destination, **changes)

    def flush(self, timeout_s: float) -> bool:
        """True when everything recorded since the last flush is with the server.

        What was lost before this call counts too: nobody else would tell the caller.
        """
        lost_before = self._lost_at_flush
        emptied = self.outbox.flush(timeout_s)
        self._lost_at_flush = self.losses.total
        return emptied and self._lost_at_flush == lost_before

    def close(self) -> None:
        """Deliver what is left, within the settings' time, and report what could not be."""
        self.outbox.close(self.settings.exit_ms / 1000)
        self.losses.report(even_if_recent=True)


class _Process:
    """The one place where this process's client lives."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self._lock = threading.RLock()

    def get(self) -> Client:
        client = self.client
        if client is not None:
            return client
        with self._lock:
            if self.client is None:
                self.client = _from_environment()
            return self.client

    def use(self, client: Client | None) -> Client | None:
        """Put another client in place and return the one before."""
        with self._lock:
            before, self.client = self.client, client
            return before


def _from_environment() -> Client:
    try:
        client = Client(load_settings())
    except InvalidInput as error:
        # A typo in a variable must not stop the program that is being observed.
        guard = Guard()
        guard.failed(error)
        client = Client(load_settings(environ={}), guard=guard)
    reference = weakref.ref(client)

    def at_exit() -> None:
        if (still := reference()) is not None:
            still.close()

    atexit.register(at_exit)
    return client


PROCESS = _Process()


def current() -> Client:
    """The client of this process, made from the environment at first use."""
    return PROCESS.get()
