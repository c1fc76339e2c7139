"""What an experiment keeps, on every engine, and that one process at a time sees to it."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import update

from tests.spans import make_span, write
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.server.upkeep import LEASE, Upkeep
from tracelake.store.open import Store
from tracelake.store.operations import RetentionPolicy, Retired
from tracelake.store.schema import experiments

DAY_NS = 86_400_000_000_000


def fill(store: Store, ages_days: dict[int, float], experiment_id: str = "0") -> None:
    """Traces by number, in this order, each so many days old."""
    for n, age in ages_days.items():
        span = make_span(n, 1)
        span.start_time_unix_nano = time.time_ns() - int(age * DAY_NS)
        span.end_time_unix_nano = span.start_time_unix_nano
        write(store, span, experiment_id=int(experiment_id))


def stored(store: Store) -> set[int]:
    return {int(info.trace_id[3:], 16) for info in store.traces.find_traces().traces}


def test_by_age_and_by_count(store: Store) -> None:
    fill(store, {1: 40, 2: 31, 3: 29, 4: 2, 5: 1})
    assert store.retention.enforce(RetentionPolicy()) == Retired(0, 0)
    assert store.retention.enforce(RetentionPolicy(days=30)) == Retired(2, 0)
    assert stored(store) == {3, 4, 5}
    assert store.retention.enforce(RetentionPolicy(days=30, traces=2)) == Retired(0, 1)
    assert stored(store) == {4, 5}
    assert store.retention.enforce(RetentionPolicy(days=30, traces=2)) == Retired(0, 0)


def test_an_experiments_own_tags_come_first(store: Store) -> None:
    keeps = store.experiments.create("keeps", {"tracelake.retention.days": "0"}).experiment_id
    short = store.experiments.create("short", {}).experiment_id
    store.experiments.update(short, tags={"tracelake.retention.traces": "1"})
    fill(store, {1: 40, 2: 1})
    fill(store, {3: 40, 4: 1}, keeps)
    fill(store, {5: 3, 6: 2, 7: 1}, short)
    assert store.retention.enforce(RetentionPolicy(days=30)) == Retired(1, 2)
    assert stored(store) == {2, 3, 4, 7}


def test_a_tag_that_makes_no_sense_holds_up_no_other_experiment(store: Store) -> None:
    odd = store.experiments.create("odd", {}).experiment_id
    short = store.experiments.create("short", {"tracelake.retention.traces": "1"}).experiment_id
    for text in ("200000", "-1", "a week"):
        with pytest.raises(InvalidInput, match="36500, and 0 keeps all"):
            store.experiments.update(odd, tags={"tracelake.retention.days": text})
    with store.database.write() as connection:
        wrong = {"tracelake.retention.days": "200000"}
        connection.execute(
            update(experiments).where(experiments.c.experiment_id == int(odd)).values(tags=wrong)
        )
    fill(store, {1: 40, 2: 1}, odd)
    fill(store, {5: 3, 6: 2}, short)
    assert store.retention.enforce(RetentionPolicy()) == Retired(0, 1)
    assert stored(store) == {1, 2, 6}


def test_what_the_lake_has_not_copied_stays(store: Store) -> None:
    fill(store, {3: 50, 1: 40, 2: 45})
    synced = store.changes.last_seq() - 1  # trace 2 is not copied
    policy = RetentionPolicy(traces=1)
    assert store.retention.enforce(policy, synced_seq=lambda: synced) == Retired(0, 1)
    # Trace 2 is the one to go; trace 1 must not go in its place.
    assert stored(store) == {1, 2}
    assert store.retention.enforce(RetentionPolicy(days=1), synced_seq=lambda: synced) == (
        Retired(1, 0)
    )
    assert stored(store) == {2}


def test_the_lake_is_asked_only_where_something_may_go(store: Store) -> None:
    def refuse() -> int:
        raise AssertionError("nobody needs to know")

    fill(store, {1: 40})
    assert store.retention.enforce(RetentionPolicy(), synced_seq=refuse) == Retired(0, 0)


def test_experiments_are_changed(store: Store) -> None:
    made = store.experiments.create("a", {"k": "v", "gone": "x"})
    store.experiments.create("b", {})
    changed = store.experiments.update(made.experiment_id, name="c", tags={"gone": None, "n": "1"})
    assert (changed.name, changed.tags) == ("c", {"k": "v", "n": "1"})
    assert store.experiments.get(made.experiment_id) == changed
    assert changed.last_update_time_ms >= made.last_update_time_ms
    with pytest.raises(AlreadyExists):
        store.experiments.update(made.experiment_id, name="b")
    with pytest.raises(NotFound):
        store.experiments.update("99", name="d")
    for wrong in ("", "-1", "x", "1.5", "٣"):
        with pytest.raises(InvalidInput, match="whole number"):
            store.experiments.update(made.experiment_id, tags={"tracelake.retention.days": wrong})
    assert store.experiments.get(made.experiment_id) == changed


def upkeep(store: Store, policy: RetentionPolicy, registry: CollectorRegistry) -> Upkeep:
    return Upkeep(
        store.retention,
        store.deletion,
        store.leases,
        policy,
        None,
        registry,
        store.artifacts.sweep,
        every_s=0.1,
    )


async def test_the_job_runs_in_one_process_at_a_time(store: Store) -> None:
    fill(store, {1: 40, 2: 1})
    assert store.leases.acquire(LEASE, "another process", 60)
    registry = CollectorRegistry()
    job = upkeep(store, RetentionPolicy(days=30), registry)
    job.start()
    await asyncio.sleep(0.5)
    assert stored(store) == {1, 2}
    store.leases.release(LEASE, "another process")
    for _ in range(100):
        if stored(store) == {2}:
            break
        await asyncio.sleep(0.1)
    await job.stop()
    assert stored(store) == {2}
    deleted = registry.get_sample_value(
        "tracelake_retention_deleted_traces_total", {"reason": "age"}
    )
    assert deleted == 1
    assert store.leases.acquire(LEASE, "another process", 60)
