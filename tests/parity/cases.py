"""What is asked of one archive under the container's toolkit and under our server: a row a request.

In SAME all say the same. In DIFFERENT the toolkit cannot serve it, or serves it otherwise by design; the row says what
each gives.
"""

import base64
import io
import json
import math
import wave
from dataclasses import dataclass, field
from typing import Any

TEXT = "my friends went to see the movie, honestly a great day in the end."
OTHER = "an awful movie"
TABLE = {"who": ["Ada", "Grace", "Alan"], "age": ["36", "85", "41"]}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request to one archive.

    Attributes:
        variant: Which of `examples.variants`.
        task: HF_TASK; empty where the architecture is to say it.
        body: The request's.
        content_type: Of the body.
        claim: What is asked, in a word or two.
        toolkit: What the toolkit says where it differs: part of why it does not load, or of its error.
        ours: A part of our answer where the two differ.
    """

    variant: str
    body: bytes
    claim: str
    task: str = ""
    content_type: str = "application/json"
    toolkit: str = ""
    ours: str = field(default="")

    @property
    def archive(self) -> tuple[str, str]:
        """Requests of one archive and task are put to one server."""
        return self.variant, self.task

    def __str__(self) -> str:
        """Name the row in a test's report."""
        return f"{self.task or self.variant}, {self.claim}"


def asked(inputs: Any, **parameters: Any) -> bytes:
    """Write a JSON request."""
    return json.dumps({"inputs": inputs, "parameters": parameters} if parameters else {"inputs": inputs}).encode()


def png(width: int = 40, height: int = 30) -> bytes:
    """Draw a picture."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def tone() -> list[float]:
    """Sound of a tenth of a second."""
    return [0.5 * math.sin(2 * math.pi * 440 * index / 16_000) for index in range(1_600)]


def wav() -> bytes:
    """Write the same as a file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(b"".join(round(32_767 * sample).to_bytes(2, "little", signed=True) for sample in tone()))
    return buffer.getvalue()


PICTURE = base64.b64encode(png()).decode()
GREEDY: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False}
QUESTION = {"question": "what was great?", "context": TEXT}
TASK_OF = {
    "vision": "image-classification", "detector": "object-detection", "captioner": "image-to-text",
    "hearer": "audio-classification", "speller": "automatic-speech-recognition",
}  # fmt: skip

SAME = (
    Case(variant="inferrer", claim="a text", body=asked(TEXT)),
    Case(variant="inferrer", claim="texts", body=asked([TEXT, OTHER])),
    Case(variant="inferrer", claim="the best two", body=asked(TEXT, top_k=2)),
    Case(variant="inferrer", claim="all labels", body=asked(TEXT, top_k=None)),
    Case(variant="inferrer", claim="all labels of texts", body=asked([TEXT, OTHER], top_k=3)),
    Case(variant="inferrer", claim="a pair", body=asked({"text": TEXT, "text_pair": OTHER})),
    Case(variant="inferrer", claim="CSV", body=b"inputs\na great movie\nhonestly\n", content_type="text/csv"),
    Case(
        variant="inferrer", task="zero-shot-classification", claim="labels",
        body=asked(TEXT, candidate_labels=["good", "bad", "ugly"]),
    ),
    Case(
        variant="inferrer", task="zero-shot-classification", claim="labels that do not exclude each other",
        body=asked(TEXT, candidate_labels=["good", "bad"], multi_label=True),
    ),
    Case(variant="entities", claim="a text", body=asked(TEXT)),
    Case(variant="entities", claim="texts", body=asked([TEXT, OTHER])),
    Case(variant="entities", claim="groups", body=asked(TEXT, aggregation_strategy="simple")),
    Case(variant="entities", claim="words", body=asked(TEXT, aggregation_strategy="max")),
    Case(variant="reader", claim="a question", body=asked(QUESTION)),
    Case(variant="reader", claim="the best three", body=asked(QUESTION, top_k=3)),
    Case(variant="reader", claim="perhaps no answer", body=asked(QUESTION, handle_impossible_answer=True)),
    Case(variant="reader", claim="questions", body=asked([QUESTION, QUESTION])),
    Case(variant="masked", claim="a text", body=asked("the [MASK] was great")),
    Case(variant="masked", claim="the best two of texts", body=asked(["the [MASK] was great", "a [MASK]"], top_k=2)),
    Case(variant="rewriter", claim="a text", body=asked(TEXT, max_new_tokens=8)),
    Case(variant="rewriter", claim="texts", body=asked([TEXT, "great"], max_new_tokens=8)),
    Case(variant="rewriter", task="summarization", claim="a text", body=asked(TEXT, max_new_tokens=8)),
    Case(variant="rewriter", task="translation", claim="a text", body=asked(TEXT, max_new_tokens=8)),
    Case(variant="decoder", claim="a text", body=asked(TEXT, **GREEDY)),
    Case(variant="decoder", claim="texts", body=asked([TEXT, "great"], **GREEDY)),
    Case(variant="decoder", claim="only what is new", body=asked(TEXT, return_full_text=False, **GREEDY)),
    Case(variant="decoder", claim="a chat", body=asked([{"role": "user", "content": "great"}], **GREEDY)),
    Case(variant="encoder", task="feature-extraction", claim="a text", body=asked("great")),
    Case(variant="encoder", task="feature-extraction", claim="texts", body=asked(["great", "the movie"])),
    Case(variant="vision", task=TASK_OF["vision"], claim="a picture", body=png(), content_type="image/png"),
    Case(variant="vision", task=TASK_OF["vision"], claim="a picture in JSON", body=asked(PICTURE)),
    Case(variant="detector", task=TASK_OF["detector"], claim="a picture", body=png(60), content_type="image/png"),
    Case(variant="captioner", task=TASK_OF["captioner"], claim="a picture", body=asked(PICTURE, max_new_tokens=6)),
    Case(
        variant="table-reader", task="table-question-answering", claim="a table",
        body=asked({"query": "how many?", "table": TABLE}),
    ),
)  # fmt: skip
"""The JSON is the same: keys, order, and numbers to four digits after the point."""

_UNINFERRED = "Task couldn't be inferenced"
_UNKNOWN = "Unknown task"

DIFFERENT = (
    Case(variant="encoder", claim="no task said", body=asked("great"), toolkit=_UNINFERRED, ours="[[["),
    Case(
        variant="vision", claim="no task said", body=png(), content_type="image/png",
        toolkit=_UNINFERRED, ours='"label"',
    ),
    Case(
        variant="sentence-encoder", task="sentence-similarity", claim="sentences", toolkit=_UNKNOWN, ours="[0.8",
        body=asked({"source_sentence": "great", "sentences": ["awful", "great"]}),
    ),
    Case(
        variant="ranker", task="text-ranking", claim="texts", toolkit=_UNKNOWN, ours='"index"',
        body=asked({"query": "great", "texts": ["a great day", "awful"]}),
    ),
    # Without HF_TASK the toolkit takes TAPAS for a reader of texts: the last ending that fits wins.
    Case(
        variant="table-reader", claim="no task said", body=asked({"query": "how many?", "table": TABLE}),
        toolkit="keys {question:..., context:...}", ours='"aggregator"',
    ),
    # The pipelines want an array, which JSON cannot hold, and the toolkit makes none of a list.
    Case(
        variant="hearer", task=TASK_OF["hearer"], claim="samples", toolkit="numpy ndarray", ours='"label"',
        body=asked({"raw": tone(), "sampling_rate": 16_000}),
    ),
    Case(
        variant="speller", task=TASK_OF["speller"], claim="samples", toolkit="numpy ndarray", ours='"text"',
        body=asked({"raw": tone(), "sampling_rate": 16_000}),
    ),
    Case(
        variant="hearer", task=TASK_OF["hearer"], claim="audio/wav", body=wav(), content_type="audio/wav",
        toolkit="audio/wav is not supported", ours='"label"',
    ),
    Case(
        variant="inferrer", claim="a charset", body=asked(TEXT), content_type="application/json; charset=utf-8",
        toolkit="charset=utf-8 is not supported", ours='"label"',
    ),
    Case(
        variant="inferrer", claim="plain text", body=TEXT.encode(), content_type="text/plain",
        toolkit="text/plain is not supported", ours='"label"',
    ),
    Case(
        variant="inferrer", claim="a bare list", body=json.dumps([TEXT]).encode(),
        toolkit="pop", ours='"label"',
    ),
)  # fmt: skip
"""What the toolkit does not serve; each row names its reason, and a part of what our server and our hooks answer."""

POOLED = Case(variant="sentence-encoder", task="feature-extraction", claim="a text", body=asked(TEXT))
"""The toolkit gives the vectors of the tokens, and we give the one that the folder says they make."""

WRONG = (
    Case(variant="inferrer", claim="a number for a text", body=asked(3), ours="inputs: it must be a string"),
    Case(variant="inferrer", claim="no JSON", body=b"{", ours="it is not JSON"),
    Case(variant="inferrer", claim="an unknown parameter", body=asked(TEXT, topk=1), ours="parameters.topk"),
)
"""The caller's mistakes: the toolkit says 400 to these as to everything; ours say it with the field that is wrong."""
