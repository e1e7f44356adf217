"""Inputs spoiled at random from a fixed seed: what every test runs, and what runs where atheris is not installed."""

import random
from collections.abc import Iterator, Sequence

from tests.fuzz.harness import INPUT_MAX_BYTES

_ODD_BYTES = (0x00, 0x01, 0x20, 0x30, 0x37, 0x7F, 0x80, 0xFF)


def mutated(seeds: Sequence[bytes], tokens: Sequence[bytes], *, seed: int) -> Iterator[bytes]:
    """Yield the seeds as they are, and then inputs made from them without end; the same *seed* gives the same ones."""
    yield from seeds
    dice = random.Random(seed)
    while True:
        data = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
            _spoil(data, seeds, tokens, dice)
        yield bytes(data[:INPUT_MAX_BYTES])


def _spoil(data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes], dice: random.Random) -> None:
    at, size = dice.randrange(len(data) + 1), dice.choice((1, 2, 4, 8, 64, 512))
    how = dice.randrange(8)
    if how == 0 and at < len(data):
        data[at] ^= 1 << dice.randrange(8)
    elif how == 1:
        data[at : at + 1] = bytes([dice.choice(_ODD_BYTES)])
    elif how == 2:
        data[at : at + 1] = bytes([dice.randrange(256)])
    elif how == 3:
        del data[at : at + size]
    elif how == 4:
        data[at:at] = data[at : at + size]
    elif how == 5 and tokens:
        data[at : at + dice.choice((0, size))] = dice.choice(tokens)
    elif how == 6:
        other = dice.choice(seeds)
        start = dice.randrange(len(other) + 1)
        data[at : at + dice.choice((0, size))] = other[start : start + size]
    else:
        del data[at:]
