"""Compressed bodies: every frame is read, and no body costs more memory or time than it may."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from tracelake.ingest.encoding import decompress
from tracelake.model.errors import InvalidInput, PayloadTooLarge, UnsupportedMedia

MIB = 1024 * 1024
Compress = Callable[[bytes], bytes]


def raw_deflate(plain: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(plain) + stream.flush()


def zstd_stream(plain: bytes) -> bytes:
    """As a program writes that does not know the size when it begins."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(plain) + stream.flush()


CODECS: list[tuple[str, Compress]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstandard.compress),
    ("zstd", zstd_stream),
    (" ZSTD ", zstandard.compress),
]


@pytest.mark.parametrize(("encoding", "compress"), CODECS)
def test_what_was_compressed_comes_back(encoding: str, compress: Compress) -> None:
    noise = random.Random(1).randbytes(300_000) + bytes(1_000_000)
    for plain in (b"x", noise, bytes(5 * MIB)):
        assert decompress(compress(plain), encoding, len(plain)) == plain


@pytest.mark.parametrize(("encoding", "compress"), CODECS[:1] + CODECS[4:6])
def test_several_frames_are_one_body(encoding: str, compress: Compress) -> None:
    body = compress(b"first ") + compress(b"") + compress(b"second")
    assert decompress(body, encoding, 100) == b"first second"
    with pytest.raises(InvalidInput, match="frames"):
        decompress(compress(b"") * 1001, encoding, 100)


@pytest.mark.parametrize(("encoding", "compress"), CODECS)
def test_a_cut_or_lengthened_body_is_refused(encoding: str, compress: Compress) -> None:
    body = compress(random.Random(2).randbytes(5000))
    for cut in (1, len(body) // 2, len(body) - 1):
        with pytest.raises(InvalidInput, match=r"ends too early|cannot be read"):
            decompress(body[:cut], encoding, MIB)
    with pytest.raises(InvalidInput):
        decompress(body + b"garbage", encoding, MIB)
    with pytest.raises(InvalidInput):
        decompress(b"never compressed", encoding, MIB)


@pytest.mark.parametrize(("encoding", "compress"), CODECS)
def test_a_bomb_does_not_fill_the_memory(encoding: str, compress: Compress) -> None:
    bomb = compress(bytes(400 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge):
            decompress(bomb, encoding, 8 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 60 * MIB
    finally:
        tracemalloc.stop()


def test_a_window_that_would_take_all_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(b"x" * 1000) + stream.flush()
    with pytest.raises(InvalidInput):
        decompress(body, "zstd", MIB)


def test_an_encoding_that_nobody_knows() -> None:
    with pytest.raises(UnsupportedMedia, match="zstd"):
        decompress(b"x", "br", MIB)
