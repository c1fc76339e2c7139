"""What an ingest process is made of, and how the server starts one (decision 009)."""

import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracelake.ingest.decode import Decoder
from tracelake.ingest.prices import PriceTable
from tracelake.ingest.process import OfferServer
from tracelake.server.collector import calm_collector
from tracelake.server.logs import log_to_stderr
from tracelake.server.settings import ServerSettings
from tracelake.store.database import Database
from tracelake.store.experiments import SqlExperiments
from tracelake.store.writer import SqlSpanWriter


def starter(settings: ServerSettings) -> Callable[[socket.socket], "subprocess.Popen[bytes]"]:
    """What starts one process of these settings on its end of a stream."""
    told = {
        "store_url": settings.store_url,
        "price_file": str(settings.price_file) if settings.price_file else None,
        "max_body_bytes": settings.max_body_bytes,
        "log_level": settings.log_level,
    }

    def start(stream: socket.socket) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tracelake.server.ingest_process", str(stream.fileno())],
            pass_fds=(stream.fileno(),),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # Ctrl-C in the server's terminal is the server's to handle.
            start_new_session=True,
        )
        assert process.stdin is not None
        # Not on the command line: a store URL can hold a password, and `ps` shows arguments.
        with process.stdin as pipe:
            pipe.write(json.dumps(told).encode())
        return process

    return start


def main() -> int:
    """Run until the server ends the stream. A signal to stop is the server's to give."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stream = socket.socket(fileno=int(sys.argv[1]))
    stream.setblocking(True)
    told: dict[str, Any] = json.load(sys.stdin)
    log_to_stderr(told["log_level"])
    # Not the whole store: what reads and searches is 20 MB in each process.
    database = Database(told["store_url"])
    try:
        prices = PriceTable(Path(told["price_file"]) if told["price_file"] else None)
        decoder = Decoder(SqlExperiments(database), prices, told["max_body_bytes"])
        server = OfferServer(stream, SqlSpanWriter(database), decoder)
        calm_collector()
        server.run()
    finally:
        database.close()
        logging.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
