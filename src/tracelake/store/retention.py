"""How long and how many: what an experiment keeps in the hot store."""

import logging
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import func, select

from tracelake.model.errors import InvalidInput
from tracelake.model.retention import DAYS_TAG, TRACES_TAG, read_limit
from tracelake.store.database import Database, now_ms
from tracelake.store.deletion import always
from tracelake.store.operations import (
    KeepGoing,
    RetentionPolicy,
    Retired,
    TraceDeletion,
    TraceScope,
)
from tracelake.store.schema import experiments, traces

_DAY_MS: Final = 86_400_000

_log = logging.getLogger(__name__)


class SqlRetention:
    """Implements `Retention`."""

    def __init__(self, database: Database, deletion: TraceDeletion) -> None:
        self._database = database
        self._deletion = deletion

    def enforce(
        self,
        default: RetentionPolicy,
        *,
        synced_seq: Callable[[], int] | None = None,
        keep_going: KeepGoing = always,
    ) -> Retired:
        by_age = by_count = 0
        until_seq: int | None = None
        for experiment_id, policy in self._policies(default):
            if not keep_going():
                break
            if synced_seq is not None and until_seq is None:
                until_seq = synced_seq()
            if policy.days is not None:
                scope = TraceScope(
                    experiment_ids=(str(experiment_id),),
                    until_ms=now_ms() - policy.days * _DAY_MS,
                    until_seq=until_seq,
                )
                by_age += self._deletion.delete(scope, keep_going).traces
            surplus = self._surplus(experiment_id, policy)
            if surplus > 0:
                scope = TraceScope(
                    experiment_ids=(str(experiment_id),), until_seq=until_seq, max_traces=surplus
                )
                by_count += self._deletion.delete(scope, keep_going).traces
        return Retired(by_age, by_count)

    def _policies(self, default: RetentionPolicy) -> Iterator[tuple[int, RetentionPolicy]]:
        """Of the experiments that do not keep all."""
        with self._database.read() as connection:
            rows = connection.execute(select(experiments.c.experiment_id, experiments.c.tags)).all()
        for row in rows:
            days, count = row.tags.get(DAYS_TAG), row.tags.get(TRACES_TAG)
            try:
                policy = RetentionPolicy(
                    default.days if days is None else read_limit(DAYS_TAG, days),
                    default.traces if count is None else read_limit(TRACES_TAG, count),
                )
            except InvalidInput as error:
                # Deletes nothing where it is not clear what to keep, and all others go on.
                _log.error("experiment %s keeps everything: %s", row.experiment_id, error.message)
                continue
            if policy != RetentionPolicy():
                yield row.experiment_id, policy

    def _surplus(self, experiment_id: int, policy: RetentionPolicy) -> int:
        if policy.traces is None:
            return 0
        query = select(func.count()).where(traces.c.experiment_id == experiment_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one() - policy.traces
