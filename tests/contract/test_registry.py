"""What `store/registry.py` promises, on every engine."""

import threading

import pytest

from tracelake.model.errors import NotFound
from tracelake.store.open import Store
from tracelake.store.registry import EndpointTarget, NewAgentVersion

NAME = "main.support.airline"


def new(content: bytes = b"zip", name: str = NAME) -> NewAgentVersion:
    return NewAgentVersion(name, None, content.hex(), {"entry": "agent.py"}, content)


def target(version: int, **environment: str) -> EndpointTarget:
    return EndpointTarget("air", NAME, version, "0", environment, "home")


def test_versions_count_from_one_for_each_agent(store: Store) -> None:
    numbers = [store.agents.add_version(new()).version for _ in range(3)]
    other = store.agents.add_version(new(name="main.other.agent"))
    assert (numbers, other.version) == ([1, 2, 3], 1)
    latest = store.agents.find_latest_versions()
    assert [(each.agent_name, each.version) for each in latest] == [
        ("main.other.agent", 1),
        (NAME, 3),
    ]


def test_two_callers_never_get_the_same_version(store: Store) -> None:
    numbers: list[int] = []

    def register() -> None:
        numbers.extend(store.agents.add_version(new()).version for _ in range(5))

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 21))


def test_a_version_comes_back_as_it_was_registered(store: Store) -> None:
    made = store.agents.add_version(new(b"\x00\xff" * 1000))
    assert store.agents.get_version(NAME, 1) == made
    assert store.agents.get_package(made.sha256) == b"\x00\xff" * 1000
    assert (made.size_bytes, made.manifest) == (2000, {"entry": "agent.py"})


def test_an_endpoint_is_created_then_changed(store: Store) -> None:
    for _ in range(2):
        store.agents.add_version(new())
    first = store.agents.put_endpoint(target(1, KEY="a"))
    second = store.agents.put_endpoint(target(2, KEY="b"))
    assert (first.agent_version, second.agent_version) == (1, 2)
    assert second.environment == {"KEY": "b"}
    assert second.created_ms == first.created_ms
    assert store.agents.find_endpoints() == [second]
    store.agents.delete_endpoint("air")
    assert store.agents.find_endpoints() == []
    assert store.agents.get_version(NAME, 2).version == 2


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="no version 9"):
        store.agents.get_version(NAME, 9)
    with pytest.raises(NotFound):
        store.agents.get_package("abc")
    with pytest.raises(NotFound, match="no version 1"):
        store.agents.put_endpoint(target(1))
    with pytest.raises(NotFound):
        store.agents.get_endpoint("air")
    with pytest.raises(NotFound):
        store.agents.delete_endpoint("air")
