"""A client that is too slow: the newest version waits, and never more than a bound."""

from tracelake.query.live.subscription import MAX_PENDING, Interest, Subscription


async def test_the_newest_version_waits() -> None:
    subscription = Subscription(Interest(), 0)
    subscription.put("a", 3, b"new")
    subscription.put("a", 2, b"old")
    subscription.put("b", 4, b"other")
    subscription.seq = 4
    batch = await subscription.take(1)
    assert batch is not None
    assert (batch.seq, batch.traces, batch.is_behind) == (4, [b"new", b"other"], False)
    assert await subscription.take(0.01) is None


async def test_too_much_is_left_out_and_said() -> None:
    subscription = Subscription(Interest(), 0)
    for n in range(MAX_PENDING + 2):
        subscription.put(str(n), n, b"x")
    batch = await subscription.take(1)
    assert batch is not None
    assert (len(batch.traces), batch.is_behind) == (1, True)
    subscription.put("a", 9, b"x")
    batch = await subscription.take(1)
    assert batch is not None
    assert (len(batch.traces), batch.is_behind) == (1, False)


async def test_an_ended_one_has_nothing() -> None:
    subscription = Subscription(Interest(), 0)
    subscription.put("a", 1, b"x")
    subscription.end()
    assert await subscription.take(1) is None
    assert subscription.is_over
