"""Sounds: WAV files and plain samples, to what a model hears. Called by `speech` and `listening`."""

import io
import wave
from typing import Any

from .faults import CallerFault
from .files import file_bytes

MAX_S = 1800.0
"""Seconds of sound that one input may hold."""

MIN_S = 0.025
"""Seconds that one frame of the usual models lasts."""

_RATES = range(1000, 400_000)
_FIX = "send WAV with PCM samples (ffmpeg -i sound.mp3 -ar 16000 -ac 1 sound.wav)"


def as_sound(value: Any, *, rate: int, field: str) -> Any:
    """Decode a sound.

    Args:
        value: A WAV file's bytes or base64; numbers between -1 and 1; or {"raw" or "array", "sampling_rate"}.
        rate: What the model hears, in Hz.
        field: Where it stands in the payload.

    Returns:
        float32[samples], one channel.

    Raises:
        CallerFault: It is no sound that can be read here.
    """
    import numpy as np

    source_rate = rate
    if isinstance(value, dict) and ("raw" in value or "array" in value):
        source_rate = value.get("sampling_rate", rate)
        if not isinstance(source_rate, int) or isinstance(source_rate, bool) or source_rate not in _RATES:
            raise CallerFault("it must be a number of Hz", field=f"{field}.sampling_rate")
        value = value.get("raw", value.get("array"))
    if isinstance(value, list) or hasattr(value, "dtype"):
        samples = _samples(value, field=field)
    else:
        samples, source_rate = _wav(file_bytes(value, kind="audio", field=field), field=field)
    if len(samples) < MIN_S * source_rate:
        raise CallerFault(f"it is shorter than {MIN_S:g} s, which is too short to be heard", field=field)
    if len(samples) > MAX_S * source_rate:
        raise CallerFault(f"it lasts longer than {MAX_S:g} s", field=field)
    return np.ascontiguousarray(resampled(samples, source_rate, rate), dtype=np.float32)


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


def _wav(data: bytes, *, field: str) -> tuple[Any, int]:
    import numpy as np

    try:
        with wave.open(io.BytesIO(data)) as sound:
            width, channels, rate = sound.getsampwidth(), sound.getnchannels(), sound.getframerate()
            frames = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        raise CallerFault(f"it is not a sound that can be read ({error or 'truncated'}); {_FIX}", field=field) from None
    if width not in (1, 2, 3, 4) or rate not in _RATES or channels < 1:
        raise CallerFault(f"its format is not one that can be read; {_FIX}", field=field)
    frames = frames[: len(frames) - len(frames) % (width * channels)]
    if width == 1:  # the only one without a sign
        samples = (np.frombuffer(frames, np.uint8).astype(np.float32) - 128) / 128
    elif width == 3:
        triples = np.frombuffer(frames, np.uint8).reshape(-1, 3)
        padded = np.zeros((len(triples), 4), np.uint8)
        padded[:, 1:] = triples
        samples = padded.view("<i4").reshape(-1).astype(np.float32) / 2**31
    else:
        samples = np.frombuffer(frames, f"<i{width}").astype(np.float32) / 2 ** (8 * width - 1)
    return samples.reshape(-1, channels).mean(axis=1), rate


def resampled(samples: Any, rate: int, wished: int) -> Any:
    """Change the sampling rate by cutting or widening the spectrum: what both rates can say stays as it is."""
    import numpy as np

    if rate == wished:
        return samples
    count = max(1, round(len(samples) * wished / rate))
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(count // 2 + 1, spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.fft.irfft(kept, count) * (count / len(samples))


def silence(rate: int) -> list[float]:
    """A second of next to nothing, for warm-ups."""
    return [0.001 * (-1) ** index for index in range(rate)]
