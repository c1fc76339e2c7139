"""What a convention is: which attribute keys say what. Earlier keys win over later ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Convention:
    name: str
    kind: Keys = ()
    """Keys whose value names the span's type, translated by `kinds`."""
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    """Lower-case value of a `kind` key to span type. A value that is not here says nothing."""
    any_kind: bool = False
    """The value of the `kind` key is itself the span type, the user's own included."""
    inputs: Keys = ()
    outputs: Keys = ()
    model: Keys = ()
    provider: Keys = ()
    tool: Keys = ()
    """Keys that hold the name of the tool that a TOOL span called."""
    error_type: Keys = ()
    error_message: Keys = ()
    input_tokens: Keys = ()
    output_tokens: Keys = ()
    total_tokens: Keys = ()
    cache_read: Keys = ()
    cache_write: Keys = ()
    usage: Keys = ()
    """Keys that hold the whole usage as one object, or its JSON text."""
    cost: Keys = ()
    """Keys that hold the whole cost as one object, or its JSON text."""
    session: Keys = ()
    user: Keys = ()
    input_messages: Keys = ()
    """Prefixes of indexed messages: <prefix>.<n>.…role and <prefix>.<n>.…content."""
    output_messages: Keys = ()
    input_events: Keys = ()
    """Names of span events that each carry one message going in."""
    output_events: Keys = ()
