"""Sounds as they come in a payload, and as a model hears them. Called by `speech` and `listening`."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from .faults import CallerFault
from .files import file_bytes
from .recordings import RATES, known_frames, open_recording, pieces
from .resampling import at_rate

MAX_S = 1800.0
"""Seconds of sound that one input may hold."""

MIN_S = 0.025
"""Seconds that one frame of the usual models lasts."""

_PIECE_S = 30


@dataclass(frozen=True, eq=False, kw_only=True)
class Sound:
    """A sound as it came. It waits for the model as small as it is; only the model's own thread decodes it.

    Attributes:
        field: Where it stands in the payload.
        content: A recording's bytes, or float32[samples].
        content_rate: Of the samples, in Hz; a recording says its own.
        rate: What the model hears, in Hz.
    """

    field: str
    content: Any
    content_rate: int
    rate: int

    def heard(self) -> Any:
        """Decode it: float32[samples], one channel, at the model's rate. Raises CallerFault."""
        import numpy as np

        if not isinstance(self.content, bytes):
            heard = at_rate(self._pieces(), self.content_rate, self.rate)
        else:
            with closing(open_recording(self.content, field=self.field)) as sound:
                parts = pieces(sound, seconds=_PIECE_S, most_s=MAX_S, field=self.field)
                heard = at_rate(parts, sound.samplerate, self.rate)
        if len(heard) < MIN_S * self.rate:
            raise CallerFault(f"it is shorter than {MIN_S:g} s, which is too short to be heard", field=self.field)
        return np.ascontiguousarray(heard, dtype=np.float32)

    def _pieces(self) -> Iterator[Any]:
        size = _PIECE_S * self.content_rate
        for start in range(0, len(self.content), size):
            yield self.content[start : start + size]


def as_sound(value: Any, *, rate: int, field: str) -> Sound:
    """Check a sound as far as that costs nothing: its header.

    Args:
        value: A recording's bytes or base64; numbers between -1 and 1; or {"raw" or "array", "sampling_rate"}.
        rate: What the model hears, in Hz.
        field: Where it stands in the payload.

    Raises:
        CallerFault: It is no sound that can be read here.
    """
    content_rate = rate
    if isinstance(value, dict) and ("raw" in value or "array" in value):
        content_rate = value.get("sampling_rate", rate)
        if not isinstance(content_rate, int) or isinstance(content_rate, bool) or content_rate not in RATES:
            raise CallerFault("it must be a number of Hz", field=f"{field}.sampling_rate")
        value = value.get("raw", value.get("array"))
    if isinstance(value, list) or hasattr(value, "dtype"):
        content: Any = _samples(value, field=field)
        length: int | None = len(content)
    else:
        content = file_bytes(value, kind="audio", field=field)
        with closing(open_recording(content, field=field)) as sound:
            content_rate, length = sound.samplerate, known_frames(sound)
    if length is not None and length < MIN_S * content_rate:
        raise CallerFault(f"it is shorter than {MIN_S:g} s, which is too short to be heard", field=field)
    if length is not None and length > MAX_S * content_rate:
        raise CallerFault(f"it lasts longer than {MAX_S:g} s", field=field)
    return Sound(field=field, content=content, content_rate=content_rate, rate=rate)


def _samples(value: Any, *, field: str) -> Any:
    import numpy as np

    if isinstance(value, list) and not all(type(one) in (int, float) for one in value):
        raise CallerFault("its samples must be one list of numbers", field=field)
    try:
        samples = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        raise CallerFault("its samples must be numbers", field=field) from None
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise CallerFault("its samples must be one list of finite numbers", field=field)
    return samples


def silence(rate: int) -> list[float]:
    """A second of next to nothing, for warm-ups."""
    return [0.001 * (-1) ** index for index in range(rate)]
