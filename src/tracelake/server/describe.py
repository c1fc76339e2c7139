"""`python -m tracelake.server.describe` prints the API's OpenAPI description; no server runs."""

import json
import sys
import tempfile

from tracelake.server.app import FrontDoor, create_app
from tracelake.server.settings import load_settings


def describe() -> str:
    """The description as JSON text, the same for the same routes."""
    with tempfile.TemporaryDirectory() as home:
        door = create_app(load_settings({"home": home}, {}))
        assert isinstance(door, FrontDoor)
        return json.dumps(door.app.openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe())
