"""The packed bytes on their way in: read one chunk ahead and no further, hashed whole, and let go of when told."""

import hashlib
import io
import threading

import pytest

from chalicelib.door.intakes import Intake

CHUNK_BYTES = 1 << 20


class Gated(io.RawIOBase):
    """A stream whose second read waits until it may go on."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked = threading.Event()
        self._reads = 0
        self.reads_under_way = 0

    def read(self, size: int = -1, /) -> bytes:
        self._reads += 1
        if self._reads == 2:
            self.reads_under_way += 1
            self.asked.set()
            self.gate.wait(10)
            self.reads_under_way -= 1
        return b"x" * 100


def test_the_hash_is_of_everything_and_known_only_at_the_end() -> None:
    raw = bytes(range(256)) * 20_000
    intake = Intake(io.BytesIO(raw))

    feeds = intake.feeds()
    first = bytes(next(feeds))
    early = intake.sha256
    rest = b"".join(bytes(feed) for feed in feeds)

    assert early is None
    assert first + rest == raw
    assert intake.sha256 == hashlib.sha256(raw).hexdigest()
    assert (intake.packed_bytes, intake.head, intake.tail) == (len(raw), raw[:1024], raw[-8:])


def test_no_more_than_one_chunk_is_read_ahead() -> None:
    stream = io.BytesIO(bytes(8 * CHUNK_BYTES))
    intake = Intake(stream)

    feeds = intake.feeds()
    next(feeds)
    feeds.close()
    intake.close()

    assert stream.tell() <= 2 * CHUNK_BYTES


def test_nothing_reads_the_stream_after_the_intake_is_closed() -> None:
    stream = Gated()
    intake = Intake(stream)
    feeds = intake.feeds()
    next(feeds)
    assert stream.asked.wait(10)
    feeds.close()

    closing = threading.Thread(target=intake.close)
    closing.start()
    is_waiting = closing.is_alive() and stream.reads_under_way == 1
    stream.gate.set()
    closing.join(10)

    assert is_waiting
    assert not closing.is_alive()
    assert stream.reads_under_way == 0


def test_an_intake_that_was_never_read_can_be_closed() -> None:
    Intake(io.BytesIO(b"x")).close()


def test_what_the_stream_raises_in_the_middle_comes_through() -> None:
    class Breaking(io.RawIOBase):
        reads = 0

        def read(self, size: int = -1, /) -> bytes:
            self.reads += 1
            if self.reads == 2:
                raise ConnectionResetError("gone")
            return b"x" * size

    intake = Intake(Breaking())

    with pytest.raises(ConnectionResetError):
        list(intake.feeds())

    intake.close()
    assert intake.sha256 is None


def test_slices_grow_while_a_member_goes_on_and_shrink_where_members_are_short() -> None:
    long, short = Intake(io.BytesIO(bytes(4 * CHUNK_BYTES))), Intake(io.BytesIO(bytes(4 * CHUNK_BYTES)))

    of_long = [len(feed) for feed in long.feeds()]
    of_short = []
    for feed in short.feeds():
        of_short.append(len(feed))
        short.members += 1

    assert max(of_long) > 2 * max(of_short)
    assert sum(of_long) == sum(of_short) == 4 * CHUNK_BYTES
