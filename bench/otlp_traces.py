"""Agent traces to send, unique and the same on every run; and what is true of each of them.

Two shapes. *fixed*: 10 spans, 28 KB. *mixed*: the spread of 1,096 recorded turns of an airline's
support agent, scaled to a mean of 10 spans and 28 KB.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from trace_template import (
    AGENT_VERSIONS,
    CHANNELS,
    CODE,
    DEPLOYS,
    MODELS,
    SESSION,
    TENANT,
    USER,
    Kind,
    Template,
    make_template,
)
from words import COMMON_WORD, RARE_WORD, Pool, make_pools

TRACE_BYTES: Final = 28 * 1024
SPANS: Final = 10
START_NS: Final = 1_788_000_000_000_000_000
PERIOD_NS: Final = 30 * 86_400 * 1_000_000_000
"""Traces begin in these 30 days, in the order of their numbers."""

# Spans and bytes of twenty equal parts of the recorded turns, by size.
STRATA: Final = (
    (3, 3500), (3, 3500), (6, 8500), (6, 9100), (6, 9300), (6, 9700), (6, 10800), (6, 12100),
    (6, 13200), (6, 14700), (6, 16400), (7, 19200), (11, 21500), (10, 23500), (10, 28400),
    (13, 34600), (14, 41700), (16, 54700), (19, 73900), (40, 164600),
)  # fmt: skip
USERS: Final = 2000
TRACES_A_SESSION: Final = 5
_TEMPLATES: Final = {"fixed": 100, "mixed": 400}
_ODD: Final = 0x9E37_79B9_7F4A_7C15
_MASK: Final = (1 << 64) - 1
_WORKER_STRIDE: Final = 10_000_000

Shape = Literal["fixed", "mixed"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of one trace, known without asking any store. Times are ns since 1970."""

    number: int
    trace_id: str
    kind: Kind
    start_ns: int
    duration_ns: int
    session: str
    user: str
    deploy: str
    channel: str
    tenant: str
    code: str
    """A word that only this trace says."""
    tools: tuple[str, ...]
    failed_tool: str | None
    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class TraceSource:
    """Request bodies of `traces_per_request` traces each; trace numbers never meet by chance."""

    def __init__(
        self,
        traces_per_request: int = 1,
        seed: int = 7,
        *,
        shape: Shape = "fixed",
        total: int = 1_000_000,
    ) -> None:
        """`total` traces fill the 30 days; those beyond begin again at their start."""
        chooser = random.Random(seed)
        self.traces_per_request = traces_per_request
        self._total = total
        self._seed = seed
        self._pools = make_pools(chooser)
        self._templates = _make_templates(chooser, shape)
        shares = list(accumulate(1 / rank for rank in range(1, USERS + 1)))
        self._users = chooser.choices(range(USERS), cum_weights=shares, k=65_536)

    def bodies(self, worker: int, count: int) -> Iterator[tuple[bytes, list[bytes]]]:
        """`count` bodies with the trace ids in each; workers never share an id."""
        first = self.first_number(worker)
        for _ in range(count):
            numbers = range(first, first + self.traces_per_request)
            yield self.body(numbers), [_trace_id(number) for number in numbers]
            first += self.traces_per_request

    def first_number(self, worker: int) -> int:
        """The number of the first trace in `bodies(worker, …)`; the others count on from it."""
        return worker * _WORKER_STRIDE

    def body(self, numbers: range) -> bytes:
        """One request with the traces of these numbers."""
        return b"".join(self.trace(number) for number in numbers)

    def trace(self, number: int) -> bytes:
        """One trace as a serialised request; concatenated requests are one request."""
        template = self._template(number)
        facts, chooser = self._facts(number, template)
        kind = template.kind
        values = [
            _trace_id(number),
            facts.session.encode(),
            facts.user.encode(),
            facts.deploy.encode(),
            facts.channel.encode(),
            facts.tenant.encode(),
            facts.code.encode(),
            (RARE_WORD if number % 1000 == 17 else "standing").encode(),
        ]
        spans = number * 1024
        values += [((spans + n) * _ODD & _MASK).to_bytes(8) for n in range(1, kind.spans + 1)]
        start_ns, duration_ns = facts.start_ns, facts.duration_ns
        for begin, end in template.shares:
            values.append((start_ns + int(duration_ns * begin)).to_bytes(8, "little"))
            values.append((start_ns + int(duration_ns * end)).to_bytes(8, "little"))
        pool: Pool = self._pools[kind.language]
        sizes = template.holes.sizes
        offset = chooser.getrandbits(48)
        for index in range(len(values), len(sizes)):
            offset = offset * _ODD + 1 & _MASK
            values.append(pool.take(offset >> 20, sizes[index]))
        return template.join(values)

    def facts(self, number: int) -> Facts:
        return self._facts(number, self._template(number))[0]

    def _template(self, number: int) -> Template:
        return self._templates[number % len(self._templates)]

    def _facts(self, number: int, template: Template) -> tuple[Facts, random.Random]:
        chooser = random.Random(number * 1_000_003 + self._seed)
        session = number // TRACES_A_SESSION
        facts = Facts(
            number=number,
            trace_id=f"tr-{_trace_id(number).hex()}",
            kind=template.kind,
            start_ns=START_NS + number % self._total * PERIOD_NS // self._total,
            duration_ns=int(chooser.lognormvariate(1.4, 0.8) * 1e9),
            session=SESSION % session,
            user=USER % self._users[session * _ODD >> 13 & 0xFFFF],
            deploy=DEPLOYS[(0, 0, 0, 0, 0, 1, 1, 2)[chooser.getrandbits(3)]],
            channel=CHANNELS[chooser.getrandbits(2)],
            tenant=TENANT % (chooser.getrandbits(16) % 50),
            code=CODE % number,
            tools=template.tools,
            failed_tool=template.failed_tool,
            input_tokens=template.input_tokens,
            output_tokens=template.output_tokens,
        )
        return facts, chooser


def _trace_id(number: int) -> bytes:
    # The first half looks as random as a real id, so that ids do not arrive in order.
    return ((number + 1) * _ODD & _MASK).to_bytes(8) + number.to_bytes(8)


def _make_templates(chooser: random.Random, shape: Shape) -> list[Template]:
    count = _TEMPLATES[shape]
    english = make_pools(chooser, 20_000)["en"]
    # What every trace repeats must not hold the word that only many traces say.
    prompts = {
        version: english.take(index * 3000, 1500).decode().replace(COMMON_WORD, "climate")
        for index, version in enumerate(AGENT_VERSIONS)
    }
    templates: list[Template] = []
    for n in range(count):
        spans, size = STRATA[n % len(STRATA)] if shape == "mixed" else (SPANS, TRACE_BYTES)
        # 25 and 20 share a factor with each other only through 5: errors meet every size.
        failed = n % 25 == n // 100
        model, provider = MODELS[n * 7 // 20 % len(MODELS)]
        version = AGENT_VERSIONS[n // 3 % len(AGENT_VERSIONS)]
        language = {11: "zh", 37: "ar"}.get(n % 50, "en")
        kind = Kind(spans, size, model, provider, version, failed, language)
        templates.append(make_template(chooser, kind, prompts[version]))
    chooser.shuffle(templates)
    return templates
