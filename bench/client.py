"""`make bench-client`: the stock client of MLflow, 16 threads, against its own server and ours.

The client runs in the environment of the peer, in a process of its own beside the server. What it
takes by itself is measured in the same run, with a server that answers in no time; so are a
search's requests without the client. Where a bar is not reached, they say whose time it is.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from report import Report, options, ratio
from systems.choose import Systems

_SYSTEMS: Final = ("mlflow", "ours")
_LOG_BAR: Final = 10.0
_SEARCH_BAR: Final = 5.0


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--threads", type=int, default=16)
    arguments = parser.parse_args()
    home: Path = arguments.stores.resolve() / "client"
    shutil.rmtree(home, ignore_errors=True)
    systems = Systems(home, arguments.peers)
    told: dict[str, dict[str, Any]] = {}
    python = arguments.peers.resolve() / "mlflow" / "bin" / "python"
    for name in _SYSTEMS:
        system = systems.make(name, "client")
        system.start()
        try:
            command = [
                *(python, Path(__file__).with_name("client_load.py"), system.url),
                *("--seconds", str(arguments.seconds), "--threads", str(arguments.threads)),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            told[name] = json.loads(done.stdout.splitlines()[-1])
        finally:
            system.stop()
    return _report(told).finish(write=arguments.write)


def _report(told: dict[str, dict[str, Any]]) -> Report:
    report = Report("the stock client")
    ours, theirs = told["ours"], told["mlflow"]
    logging, logging_alone = (
        ours[name] / theirs["traces_per_s"] for name in ("traces_per_s", "traces_alone_per_s")
    )
    report.bar(
        "6",
        f"logging: ≥ {_LOG_BAR:g} x MLflow's server, until the client is the limit",
        f"{logging:.1f} x; {logging_alone:.1f} x with a server that takes no time",
        logging >= _LOG_BAR or logging_alone < _LOG_BAR,
    )
    searching, searching_alone = (
        theirs["search_s"] / ours[name] for name in ("search_s", "search_alone_s")
    )
    report.bar(
        "6",
        f"search of 100 traces with spans: ≥ {_SEARCH_BAR:g} x",
        f"{searching:.1f} x; {searching_alone:.1f} x with a server that takes no time",
        searching >= _SEARCH_BAR,
    )
    report.table(
        ("server", "traces/s", "client, cores", "search, s", "its requests alone, s"),
        [
            (
                name,
                f"{each['traces_per_s']:.1f}",
                f"{each['client_cores']:.2f}",
                f"{each['search_s']:.3f}",
                f"{each['asked_s']:.3f}",
            )
            for name, each in told.items()
        ]
        + [
            (
                "none: the client alone",
                f"{ours['traces_alone_per_s']:.1f}",
                "1",
                f"{ours['search_alone_s']:.3f}",
                "",
            )
        ],
        "A search is of 100 traces with their spans; its requests without the client take "
        f"{ratio(theirs['asked_s'], ours['asked_s'])} as long from MLflow's server.",
    )
    return report


if __name__ == "__main__":
    sys.exit(main())
