"""Ending a keeper whose cancellation was taken by something in between."""

import asyncio

import pytest

from tracelake.agents import supervisor


async def test_a_task_that_swallows_a_cancellation_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "CANCEL_AGAIN_S", 0.05)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    slot = supervisor.Slot(1, "agent_1")
    slot.keeper = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    kept = supervisor.Supervisor(_slots={"agent": slot})
    async with asyncio.timeout(5):
        await kept.stop()
    assert swallowed == 3
    assert slot.keeper.cancelled()
