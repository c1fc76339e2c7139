"""`make bench-client`: the stock client of MLflow, 16 threads, against its own server and ours.

The client runs in the environment of the peer, in a process of its own beside the server: of two
cores it takes one, so its share of a core says when it is the limit itself.
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
    logging = ours["traces_per_s"] / theirs["traces_per_s"]
    searching = theirs["search_s"] / ours["search_s"]
    is_limit = ours["client_cores"] > 0.9
    said = f"{logging:.1f} x, the client at {ours['client_cores'] * 100:.0f} % of a core"
    report.bar(
        "6",
        f"logging: ≥ {_LOG_BAR:g} x MLflow's server, until the client is the limit",
        said,
        logging >= _LOG_BAR or is_limit,
    )
    report.bar(
        "6",
        f"search of 100 traces with spans: ≥ {_SEARCH_BAR:g} x",
        f"{searching:.1f} x",
        searching >= _SEARCH_BAR,
    )
    report.table(
        ("server", "traces/s", "client, cores", "search of 100 with spans, s"),
        [
            (
                name,
                f"{each['traces_per_s']:.1f}",
                f"{each['client_cores']:.2f}",
                f"{each['search_s']:.2f}",
            )
            for name, each in told.items()
        ],
        f"Logging: {ratio(ours['traces_per_s'], theirs['traces_per_s'])}.",
    )
    return report


if __name__ == "__main__":
    sys.exit(main())
