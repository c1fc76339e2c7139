"""A client of its own for every test, delivering to a real receiver."""

from collections.abc import Callable, Iterator

import pytest
from otlp_receiver import Receiver

from tracelake.sdk.client import PROCESS, Client
from tracelake.sdk.settings import load_settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def make_client() -> Iterator[Callable[..., Client]]:
    """Put a client with these settings in place; the one before comes back after the test."""
    made: list[Client] = []
    before = PROCESS.use(None)

    def make(**given: str) -> Client:
        client = Client(load_settings({"raise_errors": "true", "delay_ms": "20", **given}, {}))
        made.append(client)
        PROCESS.use(client)
        return client

    yield make
    PROCESS.use(before)
    for client in made:
        client.outbox.close(2)


@pytest.fixture
def client(receiver: Receiver, make_client: Callable[..., Client]) -> Client:
    return make_client(tracking_uri=receiver.uri)
