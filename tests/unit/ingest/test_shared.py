"""Which process an offer goes to."""

import asyncio
from typing import Any, cast

from tracelake.ingest.body import JSON, PROTOBUF
from tracelake.ingest.decode import Destination, NotQuick, Offer
from tracelake.ingest.outcome import Outcome, Refused
from tracelake.ingest.shared import SharedIngest

DONE = Outcome(1, Refused(), 0.0)


class Own:
    def __init__(self) -> None:
        self.taken: list[int] = []
        self.go = asyncio.Event()

    async def accept(self, offer: Offer) -> Outcome:
        self.taken.append(len(offer.body))
        await self.go.wait()
        return DONE


class Others:
    def __init__(self) -> None:
        self.least_bytes: int | None = None
        self.is_idle = False
        self.added = 0
        self.error: Exception | None = None
        self.taken: list[int] = []

    def add(self) -> None:
        self.added += 1

    async def accept(self, offer: Offer) -> Outcome:
        self.taken.append(len(offer.body))
        if self.error is not None:
            raise self.error
        return DONE


def offer(size_bytes: int, media_type: str = PROTOBUF, encoding: str = "") -> Offer:
    return Offer(bytes(size_bytes), media_type, encoding, Destination("0"))


async def test_this_process_until_there_is_much_to_do() -> None:
    own, others = Own(), Others()
    ingest = SharedIngest(cast("Any", own), cast("Any", others))
    under_way = [asyncio.create_task(ingest.accept(offer(1000))) for _ in range(9)]
    await asyncio.sleep(0)
    assert others.added == 0
    under_way.append(asyncio.create_task(ingest.accept(offer(1000))))
    await asyncio.sleep(0)
    assert others.added == 1
    assert own.taken == [1000] * 10  # none is ready yet
    others.least_bytes = 0
    await ingest.accept(offer(2000))
    assert others.taken == [2000]
    assert others.added == 1
    own.go.set()
    await asyncio.gather(*under_way)


async def test_a_few_large_bodies_are_much() -> None:
    own, others = Own(), Others()
    ingest = SharedIngest(cast("Any", own), cast("Any", others))
    under_way = [asyncio.create_task(ingest.accept(offer(3_000_000))) for _ in range(2)]
    await asyncio.sleep(0)
    assert others.added == 1
    own.go.set()
    await asyncio.gather(*under_way)
    others.least_bytes = 3_000_000
    await ingest.accept(offer(1000))
    assert others.added == 2


async def test_what_is_slow_stays_where_others_pass_it_by() -> None:
    own, others = Own(), Others()
    own.go.set()
    others.least_bytes = 0
    ingest = SharedIngest(cast("Any", own), cast("Any", others))
    for slow in (offer(300_000, JSON), offer(5_000_000)):
        await ingest.accept(slow)
    assert own.taken == [300_000, 5_000_000]
    for quick in (offer(200_000, JSON), offer(2_000_000)):
        await ingest.accept(quick)
    assert others.taken == [200_000, 2_000_000]


async def test_what_turns_out_to_be_slow_comes_back() -> None:
    own, others = Own(), Others()
    own.go.set()
    others.least_bytes = 0
    others.error = NotQuick("it unfolds")
    ingest = SharedIngest(cast("Any", own), cast("Any", others))
    bomb = offer(1000, encoding="gzip")
    assert await ingest.accept(bomb) is DONE
    assert (others.taken, own.taken) == ([1000], [1000])
    assert not bomb.is_quick


async def test_where_nothing_waits_an_offer_is_not_passed_on() -> None:
    own, others = Own(), Others()
    others.least_bytes, others.is_idle = 0, True
    ingest = SharedIngest(cast("Any", own), cast("Any", others))
    first = asyncio.create_task(ingest.accept(offer(1000)))
    await asyncio.sleep(0)
    await ingest.accept(offer(2000))
    assert (own.taken, others.taken) == ([1000], [2000])
    own.go.set()
    await first
