"""How the processes of a server log."""

import logging
import sys


def log_to_stderr(level: str) -> None:
    """Everything of this level and above, one line each, to stderr."""
    logging.basicConfig(
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("alembic", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
