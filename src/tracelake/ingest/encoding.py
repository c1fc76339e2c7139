"""Content encodings: a compressed body to the plain one, within bounds of memory and time."""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import zstandard

from tracelake.model.errors import InvalidInput, PayloadTooLarge, UnsupportedMedia

_ANY_ZLIB_HEADER: Final = 47
_RAW_DEFLATE: Final = -15
_GZIP: Final = b"\x1f\x8b"
_MOST_DEFLATED: Final = 1032
"""Deflate makes no text smaller than by this."""
_USUAL_RATIO: Final = 8
_DEFLATE_PIECE_BYTES: Final = 64 * 1024
_ZSTD_PIECE_BYTES: Final = 1024
"""Its decoder takes no bound on what it puts out; so much makes 32 MiB of it at the very most."""
_ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""The largest window that a sender may use in HTTP (RFC 9659)."""
_MAX_FRAMES: Final = 1000
"""A body of countless empty frames would cost time without end."""


class _Stream(Protocol):
    """One frame that is being decompressed."""

    def decompress(self, data: memoryview, max_length: int, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body. Stops at `max_bytes`, so that a small bomb cannot fill the memory.

    Raises UnsupportedMedia, PayloadTooLarge, InvalidInput for data that is not what it says.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _unfold(body, _inflater, _DEFLATE_PIECE_BYTES, max_bytes)
        case "deflate":
            # "deflate" is zlib by the book and raw deflate in practice; the header tells.
            is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
            opened = _inflater if is_zlib else _raw_inflater
            return _unfold(body, opened, _DEFLATE_PIECE_BYTES, max_bytes)
        case "zstd":
            return _unfold(body, _ZstdFrame, _ZSTD_PIECE_BYTES, max_bytes)
        case other:
            raise UnsupportedMedia(f"content encoding {other!r}: send gzip, deflate, zstd or none")


def plain_bytes(body: bytes, encoding: str) -> int:
    """How large a body says that it is when decompressed; a guess where it does not say.

    To be held against: what is small on the wire may be much to decode.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return len(body)
        case "gzip" | "x-gzip":
            # The last four bytes: https://www.rfc-editor.org/rfc/rfc1952#page-5
            told = int.from_bytes(body[-4:], "little") if body.startswith(_GZIP) else 0
            return min(max(told, len(body)), len(body) * _MOST_DEFLATED)
        case "zstd":
            try:
                told = zstandard.frame_content_size(body)
            except zstandard.ZstdError:
                told = 0
            return told if told >= len(body) else len(body) * _USUAL_RATIO
        case _:
            return len(body) * _USUAL_RATIO


def _unfold(
    body: bytes, open_stream: Callable[[], _Stream], piece_bytes: int, max_bytes: int
) -> bytes:
    """All frames of a body, one after the other."""
    given = memoryview(body)
    pieces: list[bytes] = []
    room = max_bytes
    frames = 0
    at = 0
    stream: _Stream | None = None
    while at < len(given):
        if stream is None:
            stream = open_stream()
            frames += 1
            if frames > _MAX_FRAMES:
                raise InvalidInput(f"the compressed body has more than {_MAX_FRAMES} frames")
        piece = given[at : at + piece_bytes]
        try:
            plain = stream.decompress(piece, room + 1)
        except (zlib.error, zstandard.ZstdError) as error:
            raise InvalidInput(f"the compressed body cannot be read: {error}") from error
        room -= len(plain)
        if room < 0:
            raise PayloadTooLarge(f"the body is larger than {max_bytes} bytes when decompressed")
        pieces.append(plain)
        at += len(piece)
        if stream.eof:
            at -= len(stream.unused_data)
            stream = None
    if stream is not None:
        raise InvalidInput("the compressed body ends too early")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _inflater() -> _Stream:
    return zlib.decompressobj(_ANY_ZLIB_HEADER)


def _raw_inflater() -> _Stream:
    return zlib.decompressobj(_RAW_DEFLATE)


class _ZstdFrame:
    def __init__(self) -> None:
        decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame = decoder.decompressobj()

    def decompress(self, data: memoryview, _max_length: int, /) -> bytes:
        return self._frame.decompress(data)

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data
