"""The public face of Tracelake. Nothing is imported before it is asked for, so that
`import tracelake` costs a program next to nothing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracelake.model.entities import (
        AssessmentError,
        AssessmentSource,
        SourceType,
        SpanStatus,
        SpanType,
        TraceState,
    )
    from tracelake.sdk.autolog import autolog
    from tracelake.sdk.configure import (
        flush,
        get_tracking_uri,
        lost_records,
        set_experiment,
        set_tracking_uri,
    )
    from tracelake.sdk.decorator import trace
    from tracelake.sdk.facts import (
        delete_trace_tag,
        get_last_active_trace_id,
        set_trace_tag,
        update_current_trace,
    )
    from tracelake.sdk.feedback import log_expectation, log_feedback
    from tracelake.sdk.reading import get_trace, search_traces
    from tracelake.sdk.records import Assessment, Span, Trace, TraceData, TraceInfo
    from tracelake.sdk.span import LiveSpan, get_current_active_span, start_span

__all__ = [
    "Assessment",
    "AssessmentError",
    "AssessmentSource",
    "LiveSpan",
    "SourceType",
    "Span",
    "SpanStatus",
    "SpanType",
    "Trace",
    "TraceData",
    "TraceInfo",
    "TraceState",
    "autolog",
    "delete_trace_tag",
    "flush",
    "get_current_active_span",
    "get_last_active_trace_id",
    "get_trace",
    "get_tracking_uri",
    "log_expectation",
    "log_feedback",
    "lost_records",
    "search_traces",
    "set_experiment",
    "set_trace_tag",
    "set_tracking_uri",
    "start_span",
    "trace",
    "update_current_trace",
]

_HOMES = {
    "tracelake.model.entities": (
        "AssessmentError",
        "AssessmentSource",
        "SourceType",
        "SpanStatus",
        "SpanType",
        "TraceState",
    ),
    "tracelake.sdk.autolog": ("autolog",),
    "tracelake.sdk.configure": (
        "flush",
        "get_tracking_uri",
        "lost_records",
        "set_experiment",
        "set_tracking_uri",
    ),
    "tracelake.sdk.decorator": ("trace",),
    "tracelake.sdk.facts": (
        "delete_trace_tag",
        "get_last_active_trace_id",
        "set_trace_tag",
        "update_current_trace",
    ),
    "tracelake.sdk.feedback": ("log_expectation", "log_feedback"),
    "tracelake.sdk.reading": ("get_trace", "search_traces"),
    "tracelake.sdk.records": ("Assessment", "Span", "Trace", "TraceData", "TraceInfo"),
    "tracelake.sdk.span": ("LiveSpan", "get_current_active_span", "start_span"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value = getattr(import_module(home), name)
            # Found here from now on, without this function.
            globals()[name] = value
            return value
    raise AttributeError(f"module 'tracelake' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
