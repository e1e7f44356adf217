"""Sounds as users send them: real encoded files of every usual kind, and what is wrong with some."""

import base64
import io
import math
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from examples import senses
from inference_code.tarmac_inference.sounds import as_sound
from tests.local.serving import ModelServer, served

RATE = 16_000
INFERENCE_CODE = Path(__file__).parents[2] / "inference_code"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    directory = tmp_path_factory.mktemp("models") / "hearer"
    senses.hearer(directory)
    with served(directory) as running:
        yield running


def tone(rate: int = RATE, *, seconds: float = 1.0, hertz: float = 440.0) -> Any:
    return (0.5 * np.sin(2 * math.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def encoded(samples: Any, rate: int = RATE, *, kind: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def scores(server: ModelServer, body: bytes, content_type: str = "audio/wav") -> dict[str, float]:
    response = server.post(body, content_type)
    assert response.status_code == 200, response.text
    return {one["label"]: one["score"] for one in response.json()}


@pytest.mark.parametrize(
    ("kind", "subtype", "content_type"),
    [
        ("WAV", "PCM_U8", "audio/wav"),
        ("WAV", "PCM_16", "audio/x-wav"),
        ("WAV", "PCM_24", "audio/wav"),
        ("WAV", "PCM_32", "audio/wav"),
        ("WAV", "FLOAT", "audio/wav"),
        ("WAV", "DOUBLE", "audio/wav"),
        ("WAV", "ALAW", "audio/wav"),
        ("WAV", "ULAW", "audio/wav"),
        ("WAVEX", "PCM_24", "audio/wav"),
        ("RF64", "PCM_16", "audio/wav"),
        ("FLAC", "PCM_16", "audio/flac"),
        ("FLAC", "PCM_24", "audio/x-flac"),
        ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
        ("OGG", "VORBIS", "audio/ogg"),
        ("OGG", "OPUS", "audio/ogg; codecs=opus"),
        ("AIFF", "PCM_16", "audio/aiff"),
    ],
)
def test_every_usual_kind_of_file_is_heard_alike(
    server: ModelServer, kind: str, subtype: str, content_type: str
) -> None:
    body = encoded(tone(), kind=kind, subtype=subtype)

    heard = as_sound(body, rate=RATE, field="inputs").heard()

    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * RATE / len(heard) == pytest.approx(440, abs=1)
    assert float(np.sqrt(np.mean(heard**2))) == pytest.approx(0.5 / math.sqrt(2), rel=0.1)
    assert set(scores(server, body, content_type)) == {"cat", "dog", "bird"}


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 44_101])
def test_every_rate_is_heard_alike(server: ModelServer, rate: int) -> None:
    assert scores(server, encoded(tone(rate), rate)) == pytest.approx(scores(server, encoded(tone())), abs=0.05)


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_mixed_into_one(server: ModelServer, channels: int) -> None:
    together = np.stack([tone()] * channels, axis=1)

    assert scores(server, encoded(together)) == pytest.approx(scores(server, encoded(tone())), abs=1e-3)


def test_a_recording_can_be_base64_in_json(server: ModelServer) -> None:
    body = base64.b64encode(encoded(tone(), kind="MP3")).decode()

    whole, several = server.answer(body), server.answer([body, {"audio": body}])

    for one in several:
        assert [label["label"] for label in one] == [label["label"] for label in whole]
        assert [label["score"] for label in one] == pytest.approx([label["score"] for label in whole], abs=1e-4)


def piped(wav: bytes) -> bytes:
    """A WAV as ffmpeg writes it into a pipe: its sizes are not known."""
    place = wav.index(b"data")
    return wav[:4] + b"\xff" * 4 + wav[8 : place + 4] + b"\xff" * 4 + wav[place + 8 :]


def test_a_wav_that_was_written_into_a_pipe_is_heard(server: ModelServer) -> None:
    assert scores(server, piped(encoded(tone()))) == scores(server, encoded(tone()))


def cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


def noise(seconds: float = 2.0) -> Any:
    return np.random.default_rng(0).uniform(-0.5, 0.5, int(RATE * seconds)).astype(np.float32)


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"", 400, "empty"),
        (b"hello" * 100, 400, "no sound"),
        (encoded(tone())[:20], 400, "cut off"),
        (cut(encoded(tone())), 400, "cut off"),
        (cut(encoded(tone(), kind="AIFF")), 400, "cut off"),
        (cut(encoded(noise(), kind="FLAC")), 400, "cut off"),
        (cut(encoded(noise(), kind="OGG")), 400, "inputs"),
        (cut(encoded(noise(), kind="MP3")), 400, "cut off"),
        (encoded(noise(), kind="FLAC")[:9000] + bytes(4000) + encoded(noise(), kind="FLAC")[13000:], 400, "inputs"),
        (encoded(np.zeros(0, np.float32)), 400, "too short"),
        (encoded(tone(seconds=0.01)), 400, "too short"),
        (encoded(np.full(RATE, np.nan, np.float32), subtype="FLOAT"), 400, "finite"),
        (encoded(np.zeros(RATE, np.float32), 500), 400, "500 Hz"),
        (encoded(np.zeros((RATE, 65), np.float32)), 400, "65 channels"),
        (encoded(tone(), kind="AU"), 400, "no sound"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(100), 415, "MP4"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), 415, "WebM"),
        (b"#!AMR\n" + bytes(100), 415, "AMR"),
    ],
)
def test_what_cannot_be_heard_is_refused_and_says_why(
    server: ModelServer, body: bytes, status: int, named: str
) -> None:
    response = server.post(body, "audio/wav")

    assert (response.status_code, named in response.json()["error"]) == (status, True), response.text
    assert "inputs" in response.json()["error"]


def test_one_bad_sound_of_several_names_its_place(server: ModelServer) -> None:
    good, bad = (base64.b64encode(one).decode() for one in (encoded(tone()), cut(encoded(noise(), kind="FLAC"))))

    response = server.ask({"inputs": [good, good, bad]})

    assert response.status_code == 400
    assert response.json()["error"].startswith("inputs[2]: it is cut off")


def silent_flac(hours: float) -> bytes:
    """Hours of nothing in a few kilobytes. Its length is taken out of the header, so that it shows only in decoding."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", samplerate=RATE, channels=1, format="FLAC", subtype="PCM_16") as sound:
        for _ in range(int(hours * 60)):
            sound.write(np.zeros(RATE * 60, np.int16))
    body = bytearray(buffer.getvalue())
    body[21] &= 0xF0
    body[22:26] = bytes(4)
    return bytes(body)


DECODE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from tarmac_inference.faults import CallerFault
from tarmac_inference.sounds import as_sound
import numpy, scipy.signal
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    as_sound(sys.stdin.buffer.read(), rate=16000, field="inputs").heard()
except CallerFault as fault:
    print(fault)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_small_file_that_holds_hours_is_refused_before_it_takes_memory(server: ModelServer) -> None:
    bomb = silent_flac(hours=10)

    refused = server.post(bomb, "audio/flac")
    told, grown_kib = (
        subprocess.run(
            [sys.executable, "-c", DECODE, str(INFERENCE_CODE)], input=bomb, capture_output=True, check=True, timeout=60
        )
        .stdout.decode()
        .splitlines()
    )

    assert len(bomb) < 10 * 3600 * RATE * 2 / 500
    assert (refused.status_code, refused.json()["error"]) == (400, "inputs: it lasts longer than 1800 s")
    assert told == "inputs: it lasts longer than 1800 s"
    assert int(grown_kib) < 256 * 1024


def test_a_header_that_lies_about_its_length_is_found_out(server: ModelServer) -> None:
    body = bytearray(encoded(noise(), kind="FLAC"))
    body[22:26] = struct.pack(">I", 40 * RATE)

    response = server.post(bytes(body), "audio/flac")

    assert response.status_code == 400
    assert "cut off" in response.json()["error"] or "broken" in response.json()["error"]
