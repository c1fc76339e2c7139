"""One request to a webhook: its headers and signature, and what comes of it."""

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final
from uuid import uuid4

import httpx

from tracelake.model.errors import InvalidInput
from tracelake.model.webhooks import Attempt
from tracelake.webhooks.addresses import Addresses, Network

_ATTEMPT_S: Final = 15.0
_CONNECT_S: Final = 5.0
_LOOK_UP_S: Final = 5.0
_LOOK_UPS: Final = 8
_ANSWER_BYTES: Final = 64 * 1024
_PORTS: Final = {"http": 80, "https": 443}


class Sender:
    """To public addresses over TLS, and into `networks`. Redirects are not followed, and no proxy
    is used: what they lead to could not be checked."""

    def __init__(self, networks: Sequence[Network], *, attempt_s: float = _ATTEMPT_S) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="webhook-names")
        self._addresses = Addresses(networks, self._threads)
        self._attempt_s = attempt_s

    async def check(self, url: str) -> None:
        """Raises InvalidInput where nothing could ever be sent there. A name that nobody knows yet
        is none of these."""
        target = _target(url)
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                await self._addresses.of(target.scheme, _host(target), _port(target))
        except InvalidInput as error:
            raise InvalidInput(f"url: {error.message}") from error
        except (TimeoutError, OSError, UnicodeError):
            return

    async def send(self, url: str, secret: str, body: str, delivery_id: str = "") -> Attempt:
        """Raises nothing: whatever goes wrong is in the answer."""
        headers = _headers(secret, delivery_id or str(uuid4()), str(int(time.time())), body)
        attempt = Attempt(None, error=f"no answer within {self._attempt_s:g} s")
        try:
            async with (
                asyncio.timeout(self._attempt_s),
                httpx.AsyncClient(
                    verify=self._tls,
                    trust_env=False,
                    timeout=httpx.Timeout(self._attempt_s, connect=_CONNECT_S),
                    # A kept connection would be taken for another name at the same address.
                    limits=httpx.Limits(max_keepalive_connections=0),
                ) as client,
            ):
                answer = await self._answer(client, url, headers, body)
                try:
                    attempt = Attempt(answer.status_code, retry_after_s=_retry_after_s(answer))
                    attempt = replace(attempt, body=await _beginning(answer))
                finally:
                    await answer.aclose()
        except TimeoutError:
            # What the receiver thinks of the event is in the first line of its answer.
            return attempt
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return attempt if attempt.status else Attempt(None, error=_reason(error))
        except InvalidInput as error:
            return Attempt(None, error=error.message)
        return attempt

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _answer(
        self, client: httpx.AsyncClient, url: str, headers: dict[str, str], body: str
    ) -> httpx.Response:
        """Its body is still to be read. Every address is tried until one lets us in."""
        target = _target(url)
        host = _host(target)
        failure: httpx.HTTPError = httpx.ConnectError(f"{host} has no address")
        for address in await self._addresses.of(target.scheme, host, _port(target)):
            request = client.build_request(
                "POST",
                target.copy_with(host=address),
                content=body,
                headers=headers | {"host": target.netloc.decode("ascii")},
                # The certificate must be the name's, though it is an address that is called.
                extensions={"sni_hostname": host},
            )
            try:
                return await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Trusts whom the machine trusts, beside the usual: a receiver may be of the house."""
        context = httpx.create_ssl_context()
        context.load_default_certs()
        return context


def signature(secret: str, delivery_id: str, timestamp: str, body: str) -> str:
    """As MLflow signs: a receiver makes the same from the headers and the body."""
    signed = f"{delivery_id}.{timestamp}.{body}".encode()
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _headers(secret: str, delivery_id: str, timestamp: str, body: str) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        # What is packed could be a thousand times as large when it is unpacked.
        "accept-encoding": "identity",
        "user-agent": "tracelake-webhook",
        "x-mlflow-delivery-id": delivery_id,
        "x-mlflow-timestamp": timestamp,
    }
    if secret:
        headers["x-mlflow-signature"] = signature(secret, delivery_id, timestamp, body)
    return headers


def _target(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"url: {error}") from error
    if target.scheme not in _PORTS or not target.raw_host:
        raise InvalidInput("url: use http://host/path or https://host/path")
    return target


def _host(target: httpx.URL) -> str:
    return target.raw_host.decode("ascii")


def _port(target: httpx.URL) -> int:
    return target.port or _PORTS[target.scheme]


async def _beginning(answer: httpx.Response) -> str:
    read = b""
    async for chunk in answer.aiter_raw():
        read += chunk
        if len(read) >= _ANSWER_BYTES:
            break
    return read[:_ANSWER_BYTES].decode(errors="replace")


def _retry_after_s(answer: httpx.Response) -> float:
    """In seconds or as a date (RFC 9110, section 10.2.3); 0 where it says nothing of use."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        until = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
