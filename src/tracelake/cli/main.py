"""`tracelake`: reads the command and calls its file. Our own errors become one line."""

import argparse
import os
import sys
from collections.abc import Sequence

from tracelake.cli import (
    backup,
    delete,
    demo,
    deploy,
    index,
    restore,
    server,
    sql,
    sync,
    tokens,
    traces,
)
from tracelake.model.errors import TracelakeError


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="tracelake", description="Run GenAI agents with every call traced."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (
        server, deploy, demo, traces, sync, sql, index, delete, backup, restore, tokens,
    ):  # fmt: skip
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Who reads has enough, as `head` does; Python would fail again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TracelakeError as error:
        print(f"tracelake: {error.message}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
