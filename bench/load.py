"""The generator of load: one thread, any number of connections, the next request after the answer.

One thread with a selector takes a fraction of a core for what the systems here can take; its own
CPU time is measured with every run.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_READ_BYTES: Final = 1 << 18
_REFUSED_PAUSE_S: Final = 0.1
_PATIENCE_S: Final = 120.0


@dataclass
class Load:
    """What the generator saw. Rates are of acknowledged traces over the whole time."""

    acknowledged: int = 0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list[float])
    refused: Counter[str] = field(default_factory=Counter[str])
    """Answers that are no success, by status or by what went wrong with the connection."""
    unanswered: int = 0

    @property
    def rate(self) -> float:
        return self.acknowledged / self.elapsed_s if self.elapsed_s else 0.0

    def percentile_ms(self, share: float) -> float:
        return percentile(self.latencies_s, share) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[round((len(ordered) - 1) * share)] if ordered else float("nan")


class _Connection:
    """One connection of the closed loop: at most one request is under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.socket: socket.socket = _connect(address)
        self.left = memoryview(b"")
        self.answer = bytearray()
        self.request = b""
        self.began = 0.0
        self.resume_at = 0.0

    def reconnect(self) -> None:
        self.socket.close()
        self.socket = _connect(self._address)

    def start(self, request: bytes) -> None:
        self.request = request
        self.left = memoryview(request)
        self.answer.clear()
        self.began = time.monotonic()


def drive(
    bodies: Iterator[bytes],
    traces_a_body: int,
    addresses: Sequence[tuple[str, int]],
    connections: int,
    seconds: float,
    headers: Mapping[str, str],
    *,
    each_tick: Callable[[], None] | None = None,
) -> Load:
    """Send until `seconds` have passed or the bodies end, then wait for the answers under way.

    A refused body is sent again by its connection after a pause, as an exporter would.
    """
    named = {"Host": "127.0.0.1", "Content-Type": "application/x-protobuf", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    head = f"POST /v1/traces HTTP/1.1\r\n{lines}Content-Length: %d\r\n\r\n".encode()
    requests = (head % len(body) + body for body in bodies)
    return send(requests, traces_a_body, addresses, connections, seconds, each_tick=each_tick)


def send(
    requests: Iterator[bytes],
    counts: int,
    addresses: Sequence[tuple[str, int]],
    connections: int,
    seconds: float,
    *,
    each_tick: Callable[[], None] | None = None,
) -> Load:
    """The same for whole HTTP/1.1 requests; each acknowledged one counts `counts`."""
    return _Loop(requests, counts, each_tick).run(addresses, connections, seconds)


class _Loop:
    def __init__(
        self,
        requests: Iterator[bytes],
        counts: int,
        each_tick: Callable[[], None] | None,
    ) -> None:
        self._requests = requests
        self._counts = counts
        self._each_tick = each_tick
        self._load = Load()
        self._selector = selectors.DefaultSelector()
        self._paused: list[_Connection] = []
        self._until = 0.0

    def run(self, addresses: Sequence[tuple[str, int]], connections: int, seconds: float) -> Load:
        began, cpu = time.monotonic(), time.thread_time()
        self._until = began + seconds
        for number in range(connections):
            connection = _Connection(addresses[number % len(addresses)])
            self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)
            self._next(connection)
        tick = began
        last_answer = began
        while self._selector.get_map() or self._paused:
            now = time.monotonic()
            if now > self._until + _PATIENCE_S:
                break
            for key, _events in self._selector.select(0.05):
                if self._step(key.data):
                    last_answer = time.monotonic()
            self._resume()
            if self._each_tick is not None and now - tick > 2:
                self._each_tick()
                tick = now
        self._load.unanswered = len(self._selector.get_map()) + len(self._paused)
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()
        self._load.elapsed_s = max(last_answer, min(self._until, time.monotonic())) - began
        self._load.cpu_s = time.thread_time() - cpu
        return self._load

    def _next(self, connection: _Connection) -> None:
        request = next(self._requests, None) if time.monotonic() < self._until else None
        if request is None:
            self._selector.unregister(connection.socket)
            connection.socket.close()
            return
        connection.start(request)
        self._selector.modify(connection.socket, selectors.EVENT_WRITE, connection)

    def _step(self, connection: _Connection) -> bool:
        """Go on with one connection; True when its answer is whole."""
        try:
            if connection.left:
                sent = connection.socket.send(connection.left)
                connection.left = connection.left[sent:]
                if not connection.left:
                    self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
                return False
            piece = connection.socket.recv(_READ_BYTES)
            if not piece:
                raise ConnectionResetError
        except BlockingIOError:
            return False
        except OSError as error:
            self._refuse(connection, type(error).__name__, broken=True)
            return False
        connection.answer += piece
        status = answered_status(connection.answer)
        if status is None:
            return False
        if 200 <= status < 300:
            self._load.latencies_s.append(time.monotonic() - connection.began)
            self._load.acknowledged += self._counts
            self._next(connection)
        else:
            self._refuse(connection, str(status), broken=False)
        return True

    def _refuse(self, connection: _Connection, why: str, *, broken: bool) -> None:
        self._load.refused[why] += 1
        self._selector.unregister(connection.socket)
        if broken:
            connection.reconnect()
        connection.resume_at = time.monotonic() + _REFUSED_PAUSE_S
        self._paused.append(connection)

    def _resume(self) -> None:
        now = time.monotonic()
        for connection in [each for each in self._paused if each.resume_at <= now]:
            self._paused.remove(connection)
            if now >= self._until:
                connection.socket.close()
                continue
            connection.start(connection.request)
            self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)


def answered_status(answer: bytes | bytearray) -> int | None:
    """The status of a whole HTTP/1.1 answer; None while some of it is missing."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(answer[:end]).lower()
    at = head.find(b"content-length:")
    if at >= 0:
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(answer) < end + 4 + length:
            return None
    elif b"chunked" in head and not answer.endswith(b"0\r\n\r\n"):
        return None
    return int(head.split(b" ", 2)[1])


def _connect(address: tuple[str, int]) -> socket.socket:
    made = socket.create_connection(address, timeout=10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made
