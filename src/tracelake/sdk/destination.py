"""Where a trace goes: server, credentials and experiment. Fixed when the trace starts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """`experiment_id` is stronger than `experiment_name`; with neither it is the default one."""

    tracking_uri: str
    token: str = ""
    experiment_name: str = ""
    experiment_id: str = ""
