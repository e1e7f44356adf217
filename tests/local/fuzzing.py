"""Requests that nobody would send on purpose, and a client that sends them as they are."""

import asyncio
import json
import random
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CONTENT_TYPES = (
    "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "text/csv",
    "text/plain", "application/jsonlines", "application/x-npy", "image/png", "audio/wav", "application/octet-stream",
    "application/x-nothing", "", ";;=", "application/json; charset=klingon",
)  # fmt: skip
ACCEPTS = ("*/*", "application/json", "text/csv", "application/x-npy", "application/jsonlines", "text/event-stream",
           "image/png", "application/json;q=0, */*;q=0.5", ";q=x,,", "")  # fmt: skip
NAMES = (
    "inputs", "parameters", "options", "text", "text_pair", "question", "context", "query", "texts", "table",
    "messages", "role", "content", "raw", "array", "sampling_rate", "image", "audio", "source_sentence", "sentences",
    "top_k", "temperature", "do_sample", "num_beams", "num_return_sequences", "stop", "seed", "threshold",
    "return_full_text", "repetition_penalty", "no_repeat_ngram_size", "min_length", "typical_p", "top_p", "targets",
    "language", "task",
    "candidate_labels", "aggregation_strategy", "doc_stride", "max_answer_len", "function_to_apply", "normalize",
)  # fmt: skip
WORDS = ("great", "the movie", "[MASK]", "", " ", "\x00", "\ud800", "\U0001f600", "null", "https://example.com/a.png",
         "AAAA", "data:image/png;base64,AAAA", "user", "softmax", "simple", "{}", "-1", "great " * 300)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 16_000, 0.5, 1e-9, -0.0, 1e308, -1e308, 2**31, 2**63, 10**40, float("nan"), float("inf"))
MARKUP = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"\xff",
    b"\x00",
    b"1e999",
    b"\\ud800",
    b"null",
    b"\xef\xbb\xbf",
)


class Fuzzer:
    """Makes bodies from one seed: random values, and good bodies gone bad."""

    def __init__(self, seed: int, good: Sequence[tuple[bytes, str]]) -> None:
        self._dice = random.Random(seed)
        self._good = good

    def request(self) -> bytes:
        """One whole HTTP request."""
        dice = self._dice
        body, content_type = dice.choice(self._good)
        kind = dice.random()
        if kind < 0.35:
            body = json.dumps(self._payload(), ensure_ascii=dice.random() < 0.9).encode(errors="surrogatepass")
            content_type = "application/json"
        elif kind < 0.85:
            body = self._spoiled(body)
        if dice.random() < 0.15:
            content_type = dice.choice(CONTENT_TYPES)
        head = ["POST /invocations HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        head.append(f"Content-Type: {content_type}")
        if dice.random() < 0.4:
            head.append(f"Accept: {dice.choice(ACCEPTS)}")
        return "\r\n".join([*head, "", ""]).encode() + body

    def _payload(self) -> Any:
        """Mostly an object with inputs, of parts of any kind."""
        payload = self._value(0)
        if self._dice.random() < 0.7:
            payload = {"inputs": payload}
            if self._dice.random() < 0.5:
                # Short texts, or a hundred thousand of them would take the night.
                wishes = {self._dice.choice(NAMES): self._value(3) for _ in range(self._dice.randint(0, 3))}
                payload["parameters"] = {"max_new_tokens": self._dice.randint(0, 3), **wishes}
        return payload

    def _value(self, depth: int) -> Any:
        dice = self._dice
        kind = dice.random()
        if depth > 3 or kind < 0.45:
            return dice.choice((None, True, False, dice.choice(NUMBERS), dice.choice(WORDS), self._word()))
        if kind < 0.7:
            return [self._value(depth + 1) for _ in range(dice.choice((0, 1, 1, 2, 3, 40 if depth > 1 else 3)))]
        return {dice.choice(NAMES): self._value(depth + 1) for _ in range(dice.randint(0, 4))}

    def _word(self) -> str:
        return "".join(self._dice.choices(string.printable, k=self._dice.randint(0, 30)))

    def _spoiled(self, body: bytes) -> bytes:
        dice = self._dice
        spoiled = bytearray(body)
        for _ in range(dice.choice((1, 1, 2, 5, 50))):
            place = dice.randrange(len(spoiled) + 1)
            how = dice.random()
            if how < 0.3:
                spoiled[place : place + 1] = bytes([dice.randrange(256)])
            elif how < 0.5:
                spoiled[place:place] = dice.choice(MARKUP)
            elif how < 0.7:
                del spoiled[place : place + dice.choice((1, 2, 8, 100))]
            elif how < 0.8:
                del spoiled[place:]
            else:
                spoiled[place:place] = spoiled[: dice.randrange(len(spoiled) + 1)][:2000]
        return bytes(spoiled)


@dataclass
class Findings:
    """How the requests were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Requests with the answers that blame the server, the first few."""


async def send_all(port: int, fuzzer: Fuzzer, *, count: int, clients: int = 16) -> Findings:
    """Send *count* requests over so many connections. Raises OSError or EOFError where the server goes away."""
    findings = Findings()
    left = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        for _ in left:
            request = fuzzer.request()
            writer.write(request)
            status, body = await _answer(reader)
            findings.statuses[status] += 1
            if status >= 500 and len(findings.faults) < 10:
                findings.faults.append((request[-400:], body[:400]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return findings


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        parts = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        body = b"".join(parts)
    else:
        body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    return int(head.split(b" ")[1]), body
