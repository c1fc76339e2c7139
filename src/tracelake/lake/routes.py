"""The lake over REST: run a sync, see how far it is."""

from fastapi import APIRouter
from pydantic import BaseModel

from tracelake.lake.process import LakePlace, run_sync
from tracelake.model.errors import Conflict
from tracelake.model.permissions import Permission, requires


class SyncAnswer(BaseModel):
    traces: int
    spans: int
    seq: int


class LakeAnswer(BaseModel):
    """`seq` is the store's change up to which the tables follow it; 0 before the first sync."""

    location: str
    seq: int
    traces: int
    spans: int


def synced_seq(place: LakePlace) -> int:
    """Up to which change of the store both tables follow it."""
    # Loaded when first asked: a server that only takes spans has no use for it.
    from tracelake.lake.status import read_status

    return read_status(place.lake_uri).seq


def router(place: LakePlace) -> APIRouter:
    """All routes of the room."""
    routes = APIRouter(prefix="/api/v1/lake", tags=["lake"])

    @routes.post("/sync")
    @requires(Permission.SYNC_LAKE)
    async def sync_lake() -> SyncAnswer:
        """Copy what is new to the Delta tables, and wait for it. 409 while a sync is running."""
        report = await run_sync(place)
        if report is None:
            raise Conflict("another sync is running; its result is the same")
        return SyncAnswer(traces=report.traces, spans=report.spans, seq=report.seq)

    @routes.get("")
    @requires(Permission.READ_TRACES)
    def get_lake() -> LakeAnswer:
        """Where the Delta tables are, and what is in them."""
        # Loaded when first asked: a server that only takes spans has no use for it.
        from tracelake.lake.status import read_status

        status = read_status(place.lake_uri)
        return LakeAnswer(
            location=place.lake_uri, seq=status.seq, traces=status.traces, spans=status.spans
        )

    return routes
