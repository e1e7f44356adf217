"""Sounds at another rate: what both rates can say stays as it is, and nothing folds back."""

import math
from typing import Any

import numpy as np
import pytest

from inference_code.tarmac_inference.resampling import at_rate


def tone(rate: int, hertz: float, seconds: float) -> Any:
    return np.sin(2 * math.pi * hertz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def level_db(samples: Any) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 20 * math.log10(math.sqrt(2 * float(np.mean(middle**2))) + 1e-12)


@pytest.mark.parametrize(("rate", "wished"), [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (44_101, 16_000)])
def test_a_tone_that_both_rates_can_say_keeps_its_pitch_and_level(rate: int, wished: int) -> None:
    changed = at_rate([tone(rate, 1000, 2.0)], rate, wished)
    expected = tone(wished, 1000, 2.0)

    assert (changed.dtype, len(changed)) == (np.float32, len(expected))
    assert np.abs(changed - expected)[200:-200].max() < 2e-3


@pytest.mark.parametrize("hertz", [10_000, 12_000, 15_000, 20_000])
def test_what_the_lower_rate_cannot_say_does_not_fold_back(hertz: int) -> None:
    assert level_db(at_rate([tone(48_000, hertz, 2.0)], 48_000, 16_000)) < -60


def test_pieces_come_out_as_the_whole_would() -> None:
    rate = 44_100
    whole = tone(rate, 440, 7.4) + tone(rate, 3000, 7.4)
    pieces = [whole[start : start + 2 * rate] for start in range(0, len(whole), 2 * rate)]

    assert np.abs(at_rate(pieces, rate, 16_000) - at_rate([whole], rate, 16_000)).max() < 1e-5


def test_the_same_rate_changes_nothing() -> None:
    samples = tone(16_000, 440, 1.0)

    assert at_rate([samples[:8000], samples[8000:]], 16_000, 16_000).tolist() == samples.tolist()


def test_nothing_stays_nothing() -> None:
    assert len(at_rate([], 48_000, 16_000)) == 0
