"""The runs that a trace is linked to, beside the one that it was made in."""

from collections.abc import Iterable
from typing import Final

from tracelake.model.errors import InvalidInput
from tracelake.model.text import is_storable

SOURCE_RUN: Final = "mlflow.sourceRun"
"""The metadata key with the run that a trace was made in."""
LINKED_RUNS: Final = "tracelake.linkedRuns"
"""The metadata key with the others: their ids, with a space before and after each."""
_ID_CHARS: Final = 250


def linked_runs(run_ids: Iterable[str]) -> str:
    """The value of the key. Raises InvalidInput for what is no id."""
    for run_id in run_ids:
        if not run_id or len(run_id) > _ID_CHARS or " " in run_id or not is_storable(run_id):
            raise InvalidInput(f"{run_id[:80]!r} is not the id of a run")
    return " " + "".join(f"{run_id} " for run_id in dict.fromkeys(run_ids))
