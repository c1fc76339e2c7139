"""Assessments that speak of whole sessions: they match traces other than the one they stand on."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from tracelake.model.filters.evaluate import SESSION_KEY
from tracelake.store.index.facts import ASSESSMENT_FIELDS, value_part
from tracelake.store.index.terms import Field, shorten
from tracelake.store.index.view import IndexView
from tracelake.store.schema import assessments, traces


@dataclass(frozen=True, slots=True)
class SessionAssessment:
    """Parts of terms, as `terms.shorten` leaves them."""

    value_part: str
    session_part: str
    experiment: str


class SessionAssessments:
    """Those of one moment, each name looked up once."""

    def __init__(self, connection: Connection, view: IndexView) -> None:
        self._connection = connection
        self._view = view
        self._known: dict[tuple[Field, str], set[SessionAssessment]] = {}

    def of_sessions(self, field: Field, name: str) -> set[SessionAssessment]:
        """All of a name. `field` is SESSION_FEEDBACK or SESSION_EXPECTATION."""
        key = (field, name)
        if key not in self._known:
            self._known[key] = {*self._indexed(field, name), *self._in_tail(field, name)}
        return self._known[key]

    def _indexed(self, field: Field, name: str) -> Iterator[SessionAssessment]:
        for segment in self._view.facts:
            for parts, docs in segment.session_assessments(field).get(shorten(name), ()):
                if self._view.alive(segment)[docs].any():
                    yield SessionAssessment(*parts)

    def _in_tail(self, field: Field, name: str) -> Iterator[SessionAssessment]:
        kinds = [kind for kind, (_, own) in ASSESSMENT_FIELDS.items() if own is field]
        # A set of its own, or SQLite begins with all assessments: the tail is a short range.
        tail = select(traces.c.trace_key).where(traces.c.seq > self._view.facts_seq)
        query = (
            select(assessments.c.value, traces.c.session_id, traces.c.experiment_id)
            .join(traces, assessments.c.trace_key == traces.c.trace_key)
            .where(
                assessments.c.trace_key.in_(tail),
                assessments.c.kind.in_(kinds),
                assessments.c.name == name,
                assessments.c.valid,
                assessments.c.assessment_metadata[SESSION_KEY].as_string() == traces.c.session_id,
            )
        )
        for value, session, experiment in self._connection.execute(query):
            yield SessionAssessment(shorten(value_part(value)), shorten(session), str(experiment))
