"""HTTP ranges of a value: which bytes were asked for, and the answer that streams them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from tracelake.store.api import SpanContent

CONTENT_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The whole value.", "content": {"application/octet-stream": {}}},
    206: {"description": "The range.", "content": {"application/octet-stream": {}}},
    416: {"description": "The range starts after the end."},
}
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)


class NoSuchRange(Exception):
    """The range has none of the bytes."""


def content_answer(content: SpanContent, headers: Mapping[str, str]) -> Response:
    """The value, or the one range of it that the request's headers name."""
    etag = f'"{content.version}"'
    # Named, so that the middleware does not compress it: ranges count the bytes of the value.
    told = {
        "accept-ranges": "bytes",
        "etag": etag,
        "content-encoding": "identity",
        "x-content-type-options": "nosniff",
    }
    asked = headers.get("range")
    if asked is not None and headers.get("if-range", etag) != etag:
        asked = None
    try:
        found = None if asked is None else parse_range(asked, content.size_bytes)
    except NoSuchRange:
        return Response(
            status_code=416, headers=told | {"content-range": f"bytes */{content.size_bytes}"}
        )
    start, stop = found or (0, content.size_bytes)
    told["content-length"] = str(stop - start)
    if found is not None:
        told["content-range"] = f"bytes {start}-{stop - 1}/{content.size_bytes}"
    return StreamingResponse(
        content.read(start, stop),
        status_code=200 if found is None else 206,
        headers=told,
        media_type=content.media_type,
    )


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """First byte, and the one after the last. None for a header that may be ignored: of another
    unit, of several ranges, malformed. Raises NoSuchRange."""
    match = _RANGE.match(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        length = min(int(last), size_bytes)
        if not length:
            raise NoSuchRange
        return size_bytes - length, size_bytes
    if last and int(last) < int(first):
        return None
    if int(first) >= size_bytes:
        raise NoSuchRange
    return int(first), min(int(last) + 1, size_bytes) if last else size_bytes
