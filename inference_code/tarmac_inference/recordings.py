"""Recordings (WAV, FLAC, MP3, Ogg, AIFF) to samples of one channel, piece by piece. Called by `sounds`.

Piece by piece, because a file of a few kilobytes may hold hours: what it would take is never made.
"""

import io
from collections.abc import Iterator
from typing import Any

from .faults import CallerFault, LoadError, UnsupportedMedia

FORMATS = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "MP3", "OGG", "AIFF"})
"""As libsndfile calls them. It reads more, which nobody sends and which would only be more to attack."""

RATES = range(1000, 400_001)
_CHANNELS_MAX = 64
_AT_ONCE = 1 << 20
"""Numbers that are decoded at once, over all channels."""

_UNKNOWN = 1 << 62
"""More frames than any file has: what libsndfile says where a stream does not tell its length."""

_SLACK_BYTES = 64
_OPEN_END = 0x7FFF_F000
"""From this size on a header was written by somebody who did not know how much would follow."""

_FIX = "send WAV, FLAC, MP3 or Ogg, e.g. made by ffmpeg -i recording -ac 1 -ar 16000 sound.flac"
_STARTS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM")
_OTHERS = ((b"ftyp", 4, "MP4 (M4A, AAC)"), (b"\x1a\x45\xdf\xa3", 0, "WebM"), (b"#!AMR", 0, "AMR"),
           (b"\x30\x26\xb2\x75", 0, "WMA"))  # fmt: skip


def check_library() -> None:
    """Raise LoadError where recordings could not be decoded: at the start, and not at the first request."""
    try:
        import soundfile  # noqa: F401
    except (ImportError, OSError) as error:
        raise LoadError(f"models that hear need the soundfile package: pip install soundfile ({error})") from None


def open_recording(data: bytes, *, field: str) -> Any:
    """Read the header: a soundfile.SoundFile, which is to be closed.

    Raises:
        CallerFault: It is no recording, or cut off, or of a kind that is not read here.
    """
    import soundfile

    _check_start(data, field=field)
    try:
        sound = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.LibsndfileError, ValueError) as error:
        raise CallerFault(f"it is no sound that can be read ({_words(error)}); {_FIX}", field=field) from None
    problem = None
    if sound.format not in FORMATS:
        problem = f"{sound.format} is not read here; {_FIX}"
    elif sound.samplerate not in RATES:
        problem = f"its rate is {sound.samplerate} Hz, which is not between {RATES.start} and {RATES.stop - 1}"
    elif sound.channels > _CHANNELS_MAX:
        problem = f"it has {sound.channels} channels; {_CHANNELS_MAX} is the most"
    if problem is not None:
        sound.close()
        raise CallerFault(problem, field=field)
    return sound


def known_frames(sound: Any) -> int | None:
    """How many moments the header announces; None where it does not."""
    return int(sound.frames) if 0 < sound.frames < _UNKNOWN else None


def pieces(sound: Any, *, seconds: int, most_s: float, field: str) -> Iterator[Any]:
    """Decode, as float32[samples] of one channel: *seconds* each, the last may be shorter.

    Raises:
        CallerFault: It is cut off or broken, or lasts longer than *most_s*.
    """
    import numpy as np
    import soundfile

    size, at_once = seconds * sound.samplerate, max(1, _AT_ONCE // sound.channels)
    frames, parts, waiting = 0, [], 0
    while True:
        try:
            block = sound.read(min(at_once, size - waiting), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, ValueError) as error:
            raise CallerFault(f"it is cut off or broken ({_words(error)})", field=field) from None
        frames, waiting = frames + len(block), waiting + len(block)
        if frames > most_s * sound.samplerate:
            raise CallerFault(f"it lasts longer than {most_s:g} s", field=field)
        if len(block):
            parts.append(block.mean(axis=1))
        if parts and (waiting == size or not len(block)):
            piece = np.concatenate(parts)
            if not np.isfinite(piece).all():
                raise CallerFault("its samples must be finite numbers", field=field)
            yield piece
            parts, waiting = [], 0
        if not len(block):
            break
    announced = known_frames(sound)
    # The length of an MP3 is an estimate.
    if announced is not None and frames < announced * (0.9 if sound.format == "MP3" else 1.0):
        raise CallerFault(f"it is cut off: {frames} of {announced} samples are there", field=field)


def _check_start(data: bytes, *, field: str) -> None:
    if not data:
        raise CallerFault("it is empty", field=field)
    for sign, place, name in _OTHERS:
        if data[place : place + len(sign)] == sign:
            raise UnsupportedMedia(f"{name} is not read here; {_FIX}", field=field)
    is_mp3 = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    if not (is_mp3 or data.startswith(_STARTS)):
        raise CallerFault(f"it is no sound that can be read; {_FIX}", field=field)
    if data[:4] in (b"RIFF", b"FORM"):
        announced = int.from_bytes(data[4:8], "little" if data[:4] == b"RIFF" else "big")
        # libsndfile would take what is there for the whole.
        if len(data) + _SLACK_BYTES < announced < _OPEN_END:
            raise CallerFault(f"it is cut off: {len(data)} of {announced + 8} bytes are there", field=field)


def _words(error: Exception) -> str:
    return str(getattr(error, "error_string", None) or error or type(error).__name__).strip().rstrip(".")
