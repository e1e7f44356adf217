"""Sounds at another rate, without what the new rate cannot say. Called by `sounds`."""

import math
from collections.abc import Iterable
from itertools import chain, pairwise
from typing import Any

_WINDOW = ("kaiser", 8.0)
"""Of the low-pass filter: what would fold back is 80 dB down."""


def at_rate(pieces: Iterable[Any], rate: int, wished: int) -> Any:
    """Bring pieces of one sound to another rate, and together.

    Args:
        pieces: float32[samples]; all but the last last a whole number of seconds.
        rate: Theirs, in Hz.
        wished: In Hz.

    Returns:
        float32[samples].
    """
    import numpy as np

    nothing = np.zeros(0, np.float32)
    if rate == wished:
        return np.concatenate([nothing, *pieces])
    from scipy.signal import resample_poly

    shared = math.gcd(rate, wished)
    up, down = wished // shared, rate // shared
    parts, before = [nothing], nothing
    for piece, after in pairwise(chain(pieces, [nothing])):
        # The filter looks a hundredth of a second around each sample; a second is whole at either rate.
        surrounded = np.concatenate([before, piece, after[:rate]])
        changed = resample_poly(surrounded, up, down, window=_WINDOW)
        start, count = len(before) * up // down, math.ceil(len(piece) * up / down)
        parts.append(changed[start : start + count].astype(np.float32, copy=False))
        before = piece[-rate:]
    return np.concatenate(parts)
