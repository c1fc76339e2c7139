"""Every setting of the server, in one table; command line options and docs come from it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracelake.model.errors import NotFound
from tracelake.model.settings import Setting, integer, load
from tracelake.webhooks.addresses import Network

_MIB: Final = 1024 * 1024


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _optional_path(text: str) -> Path | None:
    return _path(text) if text else None


def _log_level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("no such level")
    return text.lower()


def _auth(text: str) -> str:
    if text.lower() not in ("off", "required"):
        raise ValueError("neither off nor required")
    return text.lower()


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


SETTINGS: Final = (
    Setting(
        "home",
        "TRACELAKE_HOME",
        _path,
        "~/.tracelake",
        "The one folder for everything the server keeps.",
    ),
    Setting("host", "TRACELAKE_HOST", str, "127.0.0.1", "Address to listen on."),
    Setting(
        "port", "TRACELAKE_PORT", integer(1, 65535), "5050", "Port of the API, OTLP/HTTP and UI."
    ),
    Setting(
        "auth",
        "TRACELAKE_AUTH",
        _auth,
        "off",
        "required: every request but those of probes carries a token, which "
        "`tracelake tokens create` makes. off: whoever can reach the port may do everything.",
    ),
    Setting(
        "otlp_grpc_port",
        "TRACELAKE_OTLP_GRPC_PORT",
        integer(0, 65535),
        "4317",
        "Port of OTLP over gRPC; 0 turns it off.",
    ),
    Setting(
        "otlp_default_experiment",
        "TRACELAKE_OTLP_DEFAULT_EXPERIMENT",
        str.strip,
        "",
        "Experiment id of OTLP requests without the header x-mlflow-experiment-id. Empty: they are "
        "refused, as by MLflow.",
    ),
    Setting(
        "store_url",
        "TRACELAKE_STORE_URL",
        str,
        "",
        "Hot store: sqlite:////path/file.db or postgresql://user@host/db (version 15 or later). "
        "Empty: tracelake.db in the home folder.",
    ),
    Setting(
        "lake_uri",
        "TRACELAKE_LAKE_URI",
        str,
        "",
        "Folder of the Delta tables. Empty: lake in the home folder.",
    ),
    Setting(
        "lake_sync_seconds",
        "TRACELAKE_LAKE_SYNC_SECONDS",
        integer(0, 31_536_000),
        "900",
        "Seconds between copies to the Delta tables; 0 turns the copying off.",
    ),
    Setting(
        "workers",
        "TRACELAKE_WORKERS",
        integer(1, 64),
        "2",
        "Ingest processes that the server may start when more spans come than it can store beside "
        "all else. With 1 it does that itself.",
    ),
    Setting(
        "max_body_bytes",
        "TRACELAKE_MAX_BODY_BYTES",
        integer(1024, 2**31),
        str(64 * _MIB),
        "Largest request body, also after decompression. A larger one is refused with 413.",
    ),
    Setting(
        "max_pending_bytes",
        "TRACELAKE_MAX_PENDING_BYTES",
        integer(1024, 2**40),
        str(32 * _MIB),
        "Bytes of span requests that may be under way at once. More are refused with 503.",
    ),
    Setting(
        "query_timeout_seconds",
        "TRACELAKE_QUERY_TIMEOUT_SECONDS",
        integer(1, 3600),
        "30",
        "How long a question to the API may take; then it is ended and answered with 504.",
    ),
    Setting(
        "retention_days",
        "TRACELAKE_RETENTION_DAYS",
        integer(0, 36_500),
        "0",
        "Days that a trace stays in the hot store; 0 keeps it. An experiment's tag "
        "tracelake.retention.days comes first.",
    ),
    Setting(
        "retention_traces",
        "TRACELAKE_RETENTION_TRACES",
        integer(0, 10**12),
        "0",
        "Traces that each experiment keeps in the hot store, the newest; 0 keeps all. An "
        "experiment's tag tracelake.retention.traces comes first.",
    ),
    Setting(
        "webhook_networks",
        "TRACELAKE_WEBHOOK_NETWORKS",
        _networks,
        "",
        "Networks that webhooks may reach beside public addresses, and without TLS, as in "
        "10.0.0.0/8,127.0.0.0/8. Empty: none.",
    ),
    Setting(
        "price_file",
        "TRACELAKE_PRICE_FILE",
        _optional_path,
        "",
        "Your own prices (JSON), on top of the tables that come with Tracelake.",
    ),
    Setting(
        "log_level", "TRACELAKE_LOG_LEVEL", _log_level, "info", "debug, info, warning or error."
    ),
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The table's values, typed. Field names are the names in `SETTINGS`."""

    home: Path
    host: str
    port: int
    auth: str
    otlp_grpc_port: int
    otlp_default_experiment: str
    store_url: str
    lake_uri: str
    lake_sync_seconds: int
    workers: int
    max_body_bytes: int
    max_pending_bytes: int
    query_timeout_seconds: int
    retention_days: int
    retention_traces: int
    webhook_networks: tuple[Network, ...]
    price_file: Path | None
    log_level: str

    def require_store(self) -> None:
        """Raises NotFound where nothing was ever stored: a command must not make a new home."""
        prefix = "sqlite:///"
        if self.store_url.startswith(prefix) and not Path(self.store_url[len(prefix) :]).exists():
            raise NotFound(
                f"there is no store at {self.store_url[len(prefix) :]}. Start a server first, or "
                "name its folder with --home."
            )

    @property
    def base_url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"


def load_settings(
    given: Mapping[str, str | None] | None = None, environ: Mapping[str, str] | None = None
) -> ServerSettings:
    """Settings from the command line, then the environment, then the defaults.

    Raises InvalidInput that names the setting.
    """
    values = load(SETTINGS, given, environ)
    home: Path = values["home"]
    values["store_url"] = values["store_url"] or f"sqlite:///{home / 'tracelake.db'}"
    values["lake_uri"] = values["lake_uri"] or str(home / "lake")
    return ServerSettings(**values)
