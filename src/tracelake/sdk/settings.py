"""Every setting of the SDK, one row each; the only place that decides names and defaults."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from tracelake.model.settings import Setting, boolean, integer, load


def tracking_uri(text: str) -> str:
    """An http or https address without its trailing slash."""
    address = text.strip().rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http:// or https:// address")
    return address


def _tags(text: str) -> dict[str, str]:
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"must be a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    pairs = cast("dict[str, Any]", value).items()
    return {key: each if isinstance(each, str) else json.dumps(each) for key, each in pairs}


SETTINGS = (
    Setting(
        "tracking_uri",
        "TRACELAKE_TRACKING_URI",
        tracking_uri,
        "http://127.0.0.1:5050",
        "Address of the Tracelake server.",
    ),
    Setting(
        "tracking_token",
        "TRACELAKE_TRACKING_TOKEN",
        str,
        "",
        "Bearer token sent with every request.",
    ),
    Setting(
        "experiment_name",
        "TRACELAKE_EXPERIMENT_NAME",
        str,
        "",
        "Experiment that traces go to; created when missing.",
    ),
    Setting(
        "experiment_id",
        "TRACELAKE_EXPERIMENT_ID",
        str,
        "",
        "Experiment that traces go to; stronger than the name.",
    ),
    Setting(
        "service_name",
        "TRACELAKE_SERVICE_NAME",
        str,
        "",
        "Resource attribute service.name of every span.",
    ),
    Setting(
        "trace_tags",
        "TRACELAKE_TRACE_TAGS",
        _tags,
        "{}",
        "JSON object of tags put on every trace of this process.",
    ),
    Setting(
        "queue_spans",
        "TRACELAKE_QUEUE_SPANS",
        integer(1, 1_000_000),
        "8192",
        "Finished spans held while the server is slow; more are dropped and counted.",
    ),
    Setting(
        "queue_bytes",
        "TRACELAKE_QUEUE_BYTES",
        integer(1024, 1 << 40),
        str(128 << 20),
        "Bytes of finished spans held while the server is slow.",
    ),
    Setting(
        "batch_spans",
        "TRACELAKE_BATCH_SPANS",
        integer(1, 10_000),
        "512",
        "Spans sent in one request at most.",
    ),
    Setting(
        "batch_bytes",
        "TRACELAKE_BATCH_BYTES",
        integer(1024, 64 << 20),
        str(4 << 20),
        "Bytes of spans gathered for one request.",
    ),
    Setting(
        "delay_ms",
        "TRACELAKE_EXPORT_DELAY_MS",
        integer(0, 60_000),
        "250",
        "How long the first span of a batch waits for others.",
    ),
    Setting(
        "request_timeout_ms",
        "TRACELAKE_REQUEST_TIMEOUT_MS",
        integer(100, 600_000),
        "10000",
        "How long one request to the server may take.",
    ),
    Setting(
        "retry_ms",
        "TRACELAKE_RETRY_MS",
        integer(0, 3_600_000),
        "60000",
        "How long a batch is retried before it is dropped and counted.",
    ),
    Setting(
        "exit_ms",
        "TRACELAKE_EXIT_FLUSH_MS",
        integer(0, 600_000),
        "5000",
        "How long a process that ends waits for its last spans to be sent.",
    ),
    Setting(
        "write_wait_ms",
        "TRACELAKE_WRITE_WAIT_MS",
        integer(0, 60_000),
        "500",
        "How long feedback and tags wait for the server's answer; they are sent anyway.",
    ),
    Setting(
        "value_chars",
        "TRACELAKE_MAX_VALUE_CHARS",
        integer(1000, 64 << 20),
        str(8 << 20),
        "Longest inputs or outputs of one span, in characters of JSON; longer ones are cut.",
    ),
    Setting(
        "raise_errors",
        "TRACELAKE_SDK_RAISE_ERRORS",
        boolean,
        "false",
        "For tests of the SDK itself: raise its own errors instead of logging them.",
    ),
)


@dataclass(frozen=True, slots=True)
class SdkSettings:
    """The values of SETTINGS, by name."""

    tracking_uri: str
    tracking_token: str
    experiment_name: str
    experiment_id: str
    service_name: str
    trace_tags: dict[str, str]
    queue_spans: int
    queue_bytes: int
    batch_spans: int
    batch_bytes: int
    delay_ms: int
    request_timeout_ms: int
    retry_ms: int
    exit_ms: int
    write_wait_ms: int
    value_chars: int
    raise_errors: bool


def load_settings(
    given: Mapping[str, str | None] | None = None, environ: Mapping[str, str] | None = None
) -> SdkSettings:
    """From code, then environment, then defaults. Raises InvalidInput naming the bad one."""
    return SdkSettings(**load(SETTINGS, given, environ))
