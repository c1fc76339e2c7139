"""Which identifiers a filter may name, and which operators each takes (SPEC section 2)."""

from typing import Final

from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.tree import Entity, Op

COMPARE: Final = frozenset({Op.EQ, Op.NE, Op.GT, Op.GE, Op.LT, Op.LE})
MATCH: Final = frozenset({Op.LIKE, Op.ILIKE, Op.RLIKE})
EQUAL: Final = frozenset({Op.EQ, Op.NE})
ONE_OF: Final = frozenset({Op.IN, Op.NOT_IN})
NULL: Final = frozenset({Op.IS_NULL, Op.IS_NOT_NULL})
TEXT: Final = frozenset({Op.LIKE, Op.ILIKE})

NUMERIC_ATTRIBUTES: Final = {
    "timestamp": "timestamp_ms",
    "timestamp_ms": "timestamp_ms",
    "execution_time": "execution_time_ms",
    "execution_time_ms": "execution_time_ms",
    "end_time": "end_time_ms",
    "end_time_ms": "end_time_ms",
}
STRING_ATTRIBUTES: Final = {
    "status": "status",
    "state": "status",
    "name": "name",
    "request_id": "request_id",
    "trace_id": "request_id",
    "run_id": "run_id",
    "client_request_id": "client_request_id",
    "user": "user",
    "session": "session",
}
_PREFIXES: Final = {
    "attribute": Entity.ATTRIBUTE,
    "attributes": Entity.ATTRIBUTE,
    "trace": Entity.ATTRIBUTE,
    "tag": Entity.TAG,
    "tags": Entity.TAG,
    "metadata": Entity.METADATA,
    "request_metadata": Entity.METADATA,
    "span": Entity.SPAN,
    "feedback": Entity.FEEDBACK,
    "expectation": Entity.EXPECTATION,
    "issue": Entity.ISSUE,
}
_SPAN_KEYS: Final = ("name", "type", "status", "content")


def resolve(parts: list[str], column: int) -> tuple[Entity, str]:
    """The entity and canonical key that a dotted identifier names. Raises InvalidFilter."""
    prefix = _PREFIXES.get(parts[0].lower()) if len(parts) > 1 else None
    if prefix is None:
        if len(parts) > 1:
            raise InvalidFilter(
                f"{parts[0]!r} is no prefix; use attributes, tags, metadata, span, feedback "
                "or expectation",
                column,
            )
        return Entity.ATTRIBUTE, _attribute(parts[0], column)
    key = ".".join(parts[1:])
    match prefix:
        case Entity.ATTRIBUTE:
            return prefix, _attribute(key, column)
        case Entity.SPAN:
            if parts[1].lower() in ("attributes", "attribute") and len(parts) > 2:
                return Entity.SPAN_ATTRIBUTE, ".".join(parts[2:])
            if key not in _SPAN_KEYS:
                raise InvalidFilter(
                    f"span.{key} is not a field; use span.name, span.type, span.status, "
                    "span.content or span.attributes.<key>",
                    column,
                )
            return prefix, key
        case Entity.ISSUE if key != "id":
            raise InvalidFilter("of an issue only issue.id can be searched", column)
        case _:
            return prefix, key


def allowed_operators(entity: Entity, key: str) -> frozenset[Op]:
    """The operators that a resolved identifier takes."""
    match entity:
        case Entity.ATTRIBUTE if key in NUMERIC_ATTRIBUTES.values():
            return COMPARE
        case Entity.ATTRIBUTE if key == "prompt":
            return frozenset({Op.EQ})
        case Entity.ATTRIBUTE if key == "text":
            return TEXT
        case Entity.ATTRIBUTE if key in ("user", "session"):
            return EQUAL | ONE_OF | MATCH | NULL
        case Entity.ATTRIBUTE:
            return EQUAL | ONE_OF | MATCH
        case Entity.TAG | Entity.METADATA:
            return EQUAL | MATCH | NULL
        case Entity.SPAN if key == "content":
            return TEXT
        case Entity.SPAN | Entity.SPAN_ATTRIBUTE:
            return EQUAL | ONE_OF | MATCH
        case Entity.FEEDBACK | Entity.EXPECTATION:
            return COMPARE | MATCH | NULL
        case Entity.ISSUE:
            return frozenset({Op.EQ})


def takes_number(entity: Entity, key: str) -> bool:
    """Whether values compared with this identifier must be numbers."""
    return entity is Entity.ATTRIBUTE and key in NUMERIC_ATTRIBUTES.values()


def _attribute(key: str, column: int) -> str:
    lowered = key.lower()
    if lowered in ("text", "prompt"):
        return lowered
    found = NUMERIC_ATTRIBUTES.get(lowered) or STRING_ATTRIBUTES.get(lowered)
    if found is None:
        names = [*NUMERIC_ATTRIBUTES, *STRING_ATTRIBUTES, "text", "prompt"]
        raise InvalidFilter(
            f"{key!r} is not a field of a trace; use one of {', '.join(names)}, "
            "or tags.<key>, metadata.<key>",
            column,
        )
    return found
