"""Ranges come in order, a few at a time, whatever is asked for."""

import threading
import time

import pytest

from chalicelib.aws.ranges import AT_ONCE, RANGE_BYTES, RangeReader
from chalicelib.errors import Changed

WHOLE = bytes(range(256)) * (3 * RANGE_BYTES // 256) + b"and a tail"


def test_what_is_read_is_what_is_there_whatever_comes_first() -> None:
    def fetch(start: int, end: int) -> bytes:
        time.sleep(0.02 if start == 0 else 0)
        return WHOLE[start:end]

    reader, read = RangeReader(fetch, len(WHOLE)), []
    while piece := reader.read(1 << 20):
        assert len(piece) <= 1 << 20
        read.append(piece)
    reader.close()

    assert b"".join(read) == WHOLE


def test_no_more_than_a_few_ranges_are_held() -> None:
    asked: list[int] = []
    release = threading.Event()

    def fetch(start: int, end: int) -> bytes:
        asked.append(start)
        release.wait(5)
        return bytes(end - start)

    reader = RangeReader(fetch, 100 * RANGE_BYTES)
    release.set()
    reader.read(1)

    assert len(asked) <= AT_ONCE + 1
    reader.close()
    assert reader.read(5) == b""


def test_what_fetching_raises_reading_raises() -> None:
    def fetch(start: int, end: int) -> bytes:
        raise Changed("somebody dropped another")

    reader = RangeReader(fetch, RANGE_BYTES)

    with pytest.raises(Changed):
        reader.read(10)
    reader.close()


def test_all_of_it_and_nothing() -> None:
    reader, empty = RangeReader(lambda start, end: WHOLE[start:end], len(WHOLE)), RangeReader(lambda *_: b"", 0)

    assert reader.read() == WHOLE
    assert empty.read(10) == b""
    reader.close()
    empty.close()
