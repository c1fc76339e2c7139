"""Open a store by URL: the one place that knows which class stands behind which protocol."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DatabaseError

from tracelake.model.errors import InvalidInput, Unavailable
from tracelake.store.analytics import SqlAnalytics
from tracelake.store.api import (
    Analytics,
    Assessments,
    Changes,
    ClientInfos,
    Experiments,
    Facets,
    Leases,
    SpanWriter,
    TraceEditor,
    TraceReader,
)
from tracelake.store.artifact_parts import ArtifactParts, SqlArtifactParts
from tracelake.store.artifacts import Artifacts, SqlArtifacts
from tracelake.store.assessments import SqlAssessments
from tracelake.store.changes import SqlChanges
from tracelake.store.client_infos import SqlClientInfos
from tracelake.store.compile import Compiler
from tracelake.store.database import Database
from tracelake.store.deletion import SqlTraceDeletion
from tracelake.store.editor import SqlTraceEditor
from tracelake.store.error_states import ErrorStates, SqlErrorStates
from tracelake.store.evaluation_datasets import EvaluationDatasets, SqlEvaluationDatasets
from tracelake.store.experiments import SqlExperiments
from tracelake.store.facets import SqlFacets
from tracelake.store.finder import TraceFinder
from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.indexer import Indexer
from tracelake.store.issues import Issues, SqlIssues
from tracelake.store.keys import SharedKeys, SqlSharedKeys
from tracelake.store.label_schemas import LabelSchemas, SqlLabelSchemas
from tracelake.store.leases import SqlLeases
from tracelake.store.live import SqlLive
from tracelake.store.logged_models import LoggedModels, SqlLoggedModels
from tracelake.store.migrate import upgrade
from tracelake.store.operations import Live, Retention, TraceDeletion
from tracelake.store.principals import Principals, SqlPrincipals
from tracelake.store.reader import SqlTraceReader
from tracelake.store.registered_models import RegisteredModels, SqlRegisteredModels
from tracelake.store.registry import AgentRegistry, SqlAgentRegistry
from tracelake.store.retention import SqlRetention
from tracelake.store.reviews import Reviews, SqlReviews
from tracelake.store.runs import Runs, SqlRuns
from tracelake.store.scorers import Scorers, SqlScorers
from tracelake.store.webhook_outbox import SqlWebhookOutbox, WebhookOutbox
from tracelake.store.webhooks import SqlWebhooks, Webhooks
from tracelake.store.writer import SqlSpanWriter

_SEE_TO: Final = {
    True: "See that its disk has room and that you may write to its file and folder.",
    False: "See that PostgreSQL runs there, and that --store-url names it.",
}


@dataclass(frozen=True, slots=True)
class Store:
    """Everything the rooms may ask of the store. `close` it when done."""

    database: Database
    experiments: Experiments
    runs: Runs
    issues: Issues
    label_schemas: LabelSchemas
    reviews: Reviews
    logged_models: LoggedModels
    registered_models: RegisteredModels
    webhooks: Webhooks
    webhook_outbox: WebhookOutbox
    artifacts: Artifacts
    artifact_parts: ArtifactParts
    scorers: Scorers
    evaluation_datasets: EvaluationDatasets
    spans: SpanWriter
    traces: TraceReader
    editor: TraceEditor
    client_infos: ClientInfos
    deletion: TraceDeletion
    retention: Retention
    assessments: Assessments
    analytics: Analytics
    facets: Facets
    error_states: ErrorStates
    changes: Changes
    live: Live
    leases: Leases
    agents: AgentRegistry
    principals: Principals
    keys: SharedKeys
    indexer: Indexer

    def close(self) -> None:
        self.live.close()
        self.database.close()


def open_store(url: str) -> Store:
    """Open `sqlite:////path/file.db` or `postgresql://…`, creating or migrating its tables.

    Raises InvalidInput for another kind of URL or file, SchemaTooNew for a database of a later
    release, Unavailable for one that does not answer.
    """
    database = Database(url)
    try:
        upgrade(database)
    except Unavailable as error:
        database.close()
        hint = _SEE_TO[database.is_sqlite]
        raise Unavailable(f"{error.message.rstrip('.?')}. {hint}") from error
    except DatabaseError as error:
        database.close()
        if not database.is_sqlite:
            raise
        raise InvalidInput(
            f"{url} is not a store: {error.orig}. Name another file with --store-url, or put a "
            "backup in its place: tracelake restore FILE --force"
        ) from error
    except BaseException:
        database.close()
        raise
    compiler, cache = Compiler(is_sqlite=database.is_sqlite), ColumnCache()
    reader = SqlTraceReader(database, TraceFinder(compiler, cache))
    deletion = SqlTraceDeletion(database, reader)
    return Store(
        database=database,
        experiments=SqlExperiments(database),
        runs=SqlRuns(database),
        issues=SqlIssues(database),
        error_states=SqlErrorStates(database),
        label_schemas=SqlLabelSchemas(database),
        reviews=SqlReviews(database),
        logged_models=SqlLoggedModels(database),
        registered_models=SqlRegisteredModels(database),
        webhooks=SqlWebhooks(database),
        webhook_outbox=SqlWebhookOutbox(database),
        artifacts=SqlArtifacts(database),
        artifact_parts=SqlArtifactParts(database),
        scorers=SqlScorers(database),
        evaluation_datasets=SqlEvaluationDatasets(database),
        spans=SqlSpanWriter(database),
        traces=reader,
        indexer=Indexer(database),
        editor=SqlTraceEditor(database),
        client_infos=SqlClientInfos(database),
        deletion=deletion,
        retention=SqlRetention(database, deletion),
        assessments=SqlAssessments(database),
        analytics=SqlAnalytics(database, compiler, cache),
        facets=SqlFacets(database, compiler, cache),
        changes=SqlChanges(database),
        live=SqlLive(database),
        leases=SqlLeases(database),
        agents=SqlAgentRegistry(database),
        principals=SqlPrincipals(database),
        keys=SqlSharedKeys(database),
    )
