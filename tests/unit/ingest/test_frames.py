"""Frames between the server and its ingest processes."""

import io

import pytest

from tracelake.ingest.frames import pack_frame, receive_frame

BODY = b"spans" * 100
FRAME = pack_frame({"number": 7}, len(BODY)) + BODY


def test_frames_come_one_after_the_other() -> None:
    stream = io.BytesIO(FRAME + pack_frame({"ready": True}) + FRAME)
    expected = [({"number": 7}, BODY), ({"ready": True}, b""), ({"number": 7}, BODY)]
    assert [receive_frame(stream) for _ in range(3)] == expected
    assert receive_frame(stream) is None


@pytest.mark.parametrize("size", [1, 7, 8, 10, len(FRAME) - len(BODY), len(FRAME) - 1])
def test_one_that_is_cut_off_is_none(size: int) -> None:
    assert receive_frame(io.BytesIO(FRAME[:size])) is None
