"""What the server and its ingest processes say to each other, over one stream each.

A frame is the lengths of its head and its body, the head in JSON, the body as it is. Heads carry
the number of the request that they belong to: answers come in any order.
"""

import asyncio
import struct
from typing import Any, BinaryIO, Final

import orjson

from tracelake.ingest.decode import Destination, NotQuick, Offer
from tracelake.ingest.outcome import Outcome, Refused
from tracelake.model.errors import (
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    TracelakeError,
    Unavailable,
    UnsupportedMedia,
)

STREAM_BYTES: Final = 1024 * 1024
"""Bytes that a reader takes in ahead of what is asked of it."""
_LENGTHS: Final = struct.Struct("!II")
_ERRORS: Final = {
    kind.code: kind
    for kind in (InvalidInput, PayloadTooLarge, UnsupportedMedia, NotFound, NotQuick)
}

Head = dict[str, Any]
Frame = tuple[Head, bytes]


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame; None where the other side has ended, also in the middle of one."""
    try:
        head_bytes, body_bytes = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        head: Head = orjson.loads(await reader.readexactly(head_bytes))
        return head, await reader.readexactly(body_bytes)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive_frame(stream: BinaryIO) -> Frame | None:
    """The same, waited for by the thread."""
    try:
        lengths = stream.read(_LENGTHS.size)
        if len(lengths) < _LENGTHS.size:
            return None
        head_bytes, body_bytes = _LENGTHS.unpack(lengths)
        head, body = stream.read(head_bytes), stream.read(body_bytes)
    except ConnectionError:
        return None
    return (orjson.loads(head), body) if len(body) == body_bytes and head else None


def pack_frame(head: Head, body_bytes: int = 0) -> bytes:
    """A frame, but for its body of so many bytes, which goes after it."""
    packed = orjson.dumps(head)
    return _LENGTHS.pack(len(packed), body_bytes) + packed


def offer_to_head(number: int, offer: Offer) -> Head:
    return {
        "number": number,
        "media_type": offer.media_type,
        "encoding": offer.encoding,
        "destination": tuple(offer.destination),
    }


def offer_of(head: Head, body: bytes) -> Offer:
    return Offer(body, head["media_type"], head["encoding"], Destination(*head["destination"]))


def outcome_to_head(number: int, outcome: Outcome) -> Head:
    return {
        "number": number,
        "stored": outcome.stored,
        "reasons": outcome.refused.reasons,
        "told": outcome.refused.told,
        "commit_s": outcome.commit_s,
    }


def error_to_head(number: int, error: TracelakeError) -> Head:
    head: Head = {"number": number, "error": error.code, "message": error.message}
    if isinstance(error, Unavailable):
        head["retry_after_s"] = error.retry_after_s
    return head


def outcome_of(head: Head) -> Outcome:
    """The outcome in an answer. Raises the error where the answer is one."""
    if "error" not in head:
        return Outcome(head["stored"], Refused(head["reasons"], head["told"]), head["commit_s"])
    if "retry_after_s" in head:
        raise Unavailable(head["message"], head["retry_after_s"])
    raise _ERRORS.get(head["error"], TracelakeError)(head["message"])
