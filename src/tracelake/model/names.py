"""Names for what its maker did not name."""

import secrets
from typing import Final

_HOW: Final = (
    "amber", "brisk", "calm", "clever", "crisp", "eager", "early", "fond", "gentle", "glad",
    "keen", "kind", "lively", "lucky", "mellow", "merry", "neat", "noble", "patient", "plain",
    "proud", "quick", "quiet", "ready", "round", "sharp", "silent", "steady", "sunny", "swift",
    "tidy", "upbeat", "vivid", "warm", "wise", "witty",
)  # fmt: skip
_WHAT: Final = (
    "avocet", "bittern", "carp", "coot", "crane", "curlew", "dipper", "egret", "eider", "gadwall",
    "grebe", "heron", "ibis", "kingfisher", "loach", "loon", "mallard", "merganser", "minnow",
    "newt", "osprey", "otter", "perch", "pike", "plover", "rail", "roach", "sandpiper", "scaup",
    "shoveler", "snipe", "sturgeon", "swan", "teal", "tern", "trout", "turtle", "wigeon",
)  # fmt: skip
_NUMBERS: Final = 1000


def invent_name() -> str:
    """Such as `calm-heron-417`."""
    number = secrets.randbelow(_NUMBERS)
    return f"{secrets.choice(_HOW)}-{secrets.choice(_WHAT)}-{number}"
