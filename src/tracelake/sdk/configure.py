"""Where traces go, said in code: server and experiment. No call here talks to the server."""

from dataclasses import dataclass

from tracelake.model.errors import InvalidInput
from tracelake.sdk import settings
from tracelake.sdk.client import Client, current
from tracelake.sdk.destination import Destination


@dataclass(frozen=True, slots=True)
class ExperimentHandle:
    """The experiment that was set. Asking for `experiment_id` may ask the server."""

    destination: Destination
    client: Client

    @property
    def name(self) -> str:
        """Empty where the experiment was given by id."""
        return self.destination.experiment_name

    @property
    def experiment_id(self) -> str:
        """The id, made on the server where it is missing. Raises Unavailable without a server."""
        return self.client.rest.experiment_id(self.destination) or "0"


def set_tracking_uri(uri: str, token: str | None = None) -> None:
    """Send traces that start from now on to this server. Raises InvalidInput for a bad address."""
    try:
        address = settings.tracking_uri(uri)
    except ValueError as error:
        raise InvalidInput(f"tracking uri {uri!r}: {error}") from error
    changes = {"tracking_uri": address} | ({} if token is None else {"token": token})
    current().aim(**changes)


def get_tracking_uri() -> str:
    return current().destination.tracking_uri


def set_experiment(
    experiment_name: str | None = None, experiment_id: str | None = None
) -> ExperimentHandle:
    """Send traces that start from now on to this experiment; made when missing, with the first
    trace and not here. Raises InvalidInput unless exactly one of name and id is given."""
    if bool(experiment_name) == bool(experiment_id):
        raise InvalidInput("set_experiment takes a name or an id")
    client = current()
    client.aim(experiment_name=experiment_name or "", experiment_id=str(experiment_id or ""))
    return ExperimentHandle(client.destination, client)


def flush(timeout_s: float = 30.0) -> bool:
    """Send what is recorded. True when all of it is with the server; False when some was dropped
    or `timeout_s` passed."""
    return current().flush(timeout_s)


def lost_records() -> dict[str, int]:
    """What this process could not deliver so far, by reason."""
    return current().losses.counts()
