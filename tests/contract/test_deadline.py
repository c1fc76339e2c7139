"""A question ends with its deadline, and when nobody waits for it, on every engine."""

import threading
import time

import pytest
from sqlalchemy.pool import QueuePool

from tests.spans import make_span, write
from tracelake.model.deadline import Deadline, check_deadline, current_deadline
from tracelake.model.errors import QueryCancelled, QueryTimeout
from tracelake.store.open import Store

FOREVER = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n "
    "WHERE x < 0"
)


def count_for_ever(store: Store) -> None:
    with store.database.read() as connection:
        connection.exec_driver_sql(FOREVER).all()


def ask_for_ever(store: Store) -> None:
    with store.database.read() as connection:
        while True:
            connection.exec_driver_sql("SELECT 1").all()


def loop_for_ever() -> None:
    while True:
        check_deadline()
        time.sleep(0.01)


def is_whole(store: Store) -> bool:
    """Every connection is back, and the next question, with a deadline or none, is answered."""
    pool = store.database.engine.pool
    assert isinstance(pool, QueuePool)
    write(store, make_span(1, 1))
    with Deadline(30).applied():
        found = len(store.traces.find_traces().traces)
    return pool.checkedout() == 0 and found == len(store.traces.find_traces().traces) == 1


def test_one_long_statement_ends_with_the_deadline(store: Store) -> None:
    with Deadline(0.2).applied(), pytest.raises(QueryTimeout, match=r"within 0\.2 s. Narrow"):
        count_for_ever(store)
    assert is_whole(store)


def test_many_short_statements_end_with_the_deadline(store: Store) -> None:
    with Deadline(0.2).applied(), pytest.raises(QueryTimeout):
        ask_for_ever(store)
    assert is_whole(store)


def test_a_loop_ends_with_the_deadline() -> None:
    check_deadline()
    assert current_deadline() is None
    with Deadline(0.05).applied(), pytest.raises(QueryTimeout):
        loop_for_ever()


def test_a_question_nobody_waits_for_ends(store: Store) -> None:
    deadline = Deadline(60)
    canceller = threading.Timer(0.2, deadline.cancel)
    canceller.start()
    with deadline.applied(), pytest.raises(QueryCancelled):
        count_for_ever(store)
    canceller.join()
    with deadline.applied(), pytest.raises(QueryCancelled):
        store.traces.find_traces()
    assert is_whole(store)


def test_writing_is_not_interrupted(store: Store) -> None:
    deadline = Deadline(0)
    with deadline.applied():
        write(store, make_span(1, 1))
    assert is_whole(store)
