"""What is sent, to whom, and what is made of the answer: against sockets of this process."""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tracelake.model.errors import InvalidInput
from tracelake.webhooks.sender import Sender, signature

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Raw:
    """Answers every request with these bytes, and keeps what was asked."""

    def __init__(self, answer: bytes, *, holds: bool = False) -> None:
        self._answer = answer
        self._holds = holds
        self.asked: list[bytes] = []
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield f"http://127.0.0.1:{self.port}/told?a=b"
        await asyncio.gather(*self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        self.asked.append(head + await reader.readexactly(length))
        with contextlib.suppress(ConnectionError):
            writer.write(self._answer)
            await writer.drain()
            if self._holds:
                await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_the_signature_is_the_documented_one() -> None:
    # printf '%s' 'id.1700000000.{}' | openssl dgst -sha256 -hmac key -binary | base64
    expected = "v1,/Hqug/JsMUvI3mrKxx95W1oU9WZJN5/KNqtUvtF4fLc="
    assert signature("key", "id", "1700000000", "{}") == expected


async def test_a_request_has_what_receivers_need() -> None:
    raw = Raw(answer("200 OK", b"fine"))
    async with raw.listening() as url:
        attempt = await Sender(LOOPBACK).send(url, "key", '{"a": 1}', "the-id")
    assert (attempt.status, attempt.body, attempt.is_success) == (200, "fine", True)
    head, _, body = raw.asked[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /told?a=b HTTP/1.1"
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["host"] == f"127.0.0.1:{raw.port}"
    assert headers["content-type"] == "application/json"
    assert headers["x-mlflow-delivery-id"] == "the-id"
    signed = signature("key", "the-id", headers["x-mlflow-timestamp"], body.decode())
    assert headers["x-mlflow-signature"] == signed.lower()
    assert body == b'{"a": 1}'


async def test_a_name_is_sent_as_such() -> None:
    raw = Raw(answer("204 No Content"))
    async with raw.listening():
        attempt = await Sender(LOOPBACK).send(f"http://u:p@localhost:{raw.port}/", "", "{}")
    assert attempt.is_success
    asked = raw.asked[0].decode().lower()
    assert f"host: localhost:{raw.port}\r\n" in asked
    assert "authorization: basic" in asked
    assert "x-mlflow-signature" not in asked


async def test_a_redirect_is_not_followed() -> None:
    other = Raw(answer("200 OK"))
    async with other.listening() as elsewhere:
        raw = Raw(answer("307 Temporary Redirect", b"", f"Location: {elsewhere}"))
        async with raw.listening() as url:
            attempt = await Sender(LOOPBACK).send(url, "", "{}")
    assert (attempt.status, attempt.is_success, other.asked) == (307, False, [])


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("9" * 5000, 999_999_999),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", 0),
    ],
)
async def test_retry_after_is_read(told: str, seconds: float) -> None:
    async with Raw(answer("429 Too Many", b"", f"Retry-After: {told}")).listening() as url:
        attempt = await Sender(LOOPBACK).send(url, "", "{}")
    assert (attempt.status, attempt.retry_after_s) == (429, seconds)


async def test_retry_after_may_be_a_date() -> None:
    told = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    async with Raw(answer("503 Busy", b"", f"Retry-After: {told}")).listening() as url:
        attempt = await Sender(LOOPBACK).send(url, "", "{}")
    assert attempt.retry_after_s == pytest.approx(3600, abs=60)


async def test_only_the_beginning_of_an_answer_is_read() -> None:
    raw = Raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000, holds=True)
    async with raw.listening() as url:
        attempt = await Sender(LOOPBACK).send(url, "", "{}")
    assert attempt.is_success
    assert attempt.body == "x" * 65_536


async def test_an_answer_that_never_ends_is_one() -> None:
    async with Raw(b"HTTP/1.1 200 OK\r\n\r\nx", holds=True).listening() as url:
        attempt = await Sender(LOOPBACK, attempt_s=0.3).send(url, "", "{}")
    assert attempt.is_success


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_no_answer_in_time_is_a_failure(said: bytes) -> None:
    began_s = time.monotonic()
    async with Raw(said, holds=True).listening() as url:
        attempt = await Sender(LOOPBACK, attempt_s=0.3).send(url, "", "{}")
    assert attempt.status is None
    assert attempt.error
    assert time.monotonic() - began_s < 3


@pytest.mark.parametrize("said", [b"no HTTP at all\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nA"])
async def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    async with Raw(said).listening() as url:
        attempt = await Sender(LOOPBACK).send(url, "", "{}")
    assert attempt.status is None
    assert attempt.error


REFUSED = [
    "http://127.0.0.1/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0.0.0.0/",
    "https://10.1.2.3/",
    "https://100.64.0.1/",
    "https://169.254.169.254/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://localhost/",
    "http://8.8.8.8/",
    "ftp://8.8.8.8/",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_nothing_goes_to_addresses_that_are_not_public(url: str) -> None:
    sender = Sender(())
    with pytest.raises(InvalidInput):
        await sender.check(url)
    attempt = await sender.send(url, "", "{}")
    assert attempt.status is None
    assert attempt.error


@pytest.mark.parametrize(
    "url",
    [
        "https://8.8.8.8/",
        "https://[2001:4860:4860::8888]/",
        "https://[64:ff9b::808:808]/",
        "http://10.1.2.3:8080/",
        "https://[::ffff:10.0.0.1]/",
        "https://nobody-knows-this-name.invalid/",
    ],
)
async def test_public_addresses_and_chosen_networks_may_be_reached(url: str) -> None:
    await Sender([ipaddress.ip_network("10.0.0.0/8")]).check(url)
