"""Every task, served live from a tiny real model, against transformers' own pipelines where they still exist."""

import base64
import io
import json
import math
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from examples.variants import VARIANTS
from tests.local.serving import ModelServer, start, stop, wait_until_ready

TEXT = "my friends went to see the movie, honestly a great day in the end."
LONG_TEXT = " ".join([TEXT] * 20)

SERVERS = {
    "entities": {},
    "masked": {},
    "reader": {},
    "inferrer": {"HF_TASK": "zero-shot-classification"},
    "encoder": {},
    "sentence-encoder": {"HF_TASK": "feature-extraction"},
    "similarity": {"HF_TASK": "sentence-similarity"},
    "ranker": {"HF_TASK": "text-ranking"},
    "decoder": {},
    "rewriter": {"HF_TASK": "summarization"},
    "vision": {},
    "detector": {},
    "captioner": {},
    "hearer": {},
    "speller": {},
    "whisperer": {},
    "table-reader": {},
    "estimator": {"TARMAC_TRUST": "trusted"},
    "numbers": {"TARMAC_TRUST": "trusted"},
}
"""Name of the variant (or of another use of one) to the environment it is served with."""


class Hangar:
    """Builds and serves variants when they are first asked for, and keeps them to the end of the module."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self._root = root
        self._stack = stack
        self._started: dict[str, ModelServer] = {}

    def model_dir(self, name: str) -> Path:
        directory = self._root / name
        if not directory.exists():
            VARIANTS["sentence-encoder" if name == "similarity" else name](directory)
        return directory

    def server(self, name: str) -> ModelServer:
        """The server of one variant; the next one begins to start meanwhile, so that no core idles."""
        names = list(SERVERS)
        following = names[names.index(name) + 1 : names.index(name) + 2]
        for one in (name, *following):
            if one not in self._started:
                self._started[one] = start(self.model_dir(one), **SERVERS[one])
                self._stack.callback(stop, self._started[one])
        wait_until_ready(self._started[name])
        return self._started[name]

    def pipeline(self, task: str, name: str) -> Any:
        from transformers import pipeline

        return pipeline(task, model=str(self.model_dir(name)), device="cpu")


@pytest.fixture(scope="module")
def hangar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hangar]:
    with ExitStack() as stack:
        yield Hangar(tmp_path_factory.mktemp("variants"), stack)


def assert_alike(actual: Any, expected: Any) -> None:
    """Equal, but for the last digits of numbers: batches and threads sum in other orders."""
    if isinstance(expected, dict):
        assert set(actual) == set(expected)
        for key, value in expected.items():
            assert_alike(actual[key], value)
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(actual, float):
        assert actual == pytest.approx(float(expected), abs=1e-4)
    else:
        assert actual == expected


@pytest.mark.parametrize(
    ("task", "name", "inputs", "parameters"),
    [
        ("token-classification", "entities", TEXT, {}),
        ("token-classification", "entities", [TEXT, "hello"], {}),
        ("token-classification", "entities", TEXT, {"aggregation_strategy": "simple"}),
        ("token-classification", "entities", TEXT, {"aggregation_strategy": "first"}),
        ("token-classification", "entities", TEXT, {"aggregation_strategy": "average"}),
        ("token-classification", "entities", TEXT, {"aggregation_strategy": "max", "ignore_labels": ["O", "PER"]}),
        ("fill-mask", "masked", "the [MASK] was great", {}),
        ("fill-mask", "masked", ["the [MASK] was great", "a [MASK]"], {"top_k": 2}),
        ("fill-mask", "masked", "the [MASK] was [MASK]", {}),
        ("fill-mask", "masked", "the [MASK] was great", {"targets": ["movie", "book"]}),
        ("zero-shot-classification", "inferrer", TEXT, {"candidate_labels": ["good", "bad", "ugly"]}),
        ("zero-shot-classification", "inferrer", [TEXT, "hi"], {"candidate_labels": "good, bad"}),
        ("zero-shot-classification", "inferrer", TEXT, {"candidate_labels": ["good", "bad"], "multi_label": True}),
        ("feature-extraction", "encoder", "great", {}),
        ("feature-extraction", "encoder", ["great", "the movie"], {}),
    ],
)
def test_answers_are_those_of_the_pipeline(
    hangar: Hangar, task: str, name: str, inputs: Any, parameters: dict[str, Any]
) -> None:
    assert_alike(hangar.server(name).answer(inputs, **parameters), hangar.pipeline(task, name)(inputs, **parameters))


def test_image_classification_is_that_of_the_pipeline(hangar: Hangar) -> None:
    picture = _png()
    expected = hangar.pipeline("image-classification", "vision")(_image(picture))

    as_body = hangar.server("vision").post(picture, "image/png").json()
    as_base64 = hangar.server("vision").answer([base64.b64encode(picture).decode()] * 3)

    assert_alike(as_body, expected)
    assert_alike(as_base64, [expected] * 3)


def _image(data: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(data))


def _png(width: int = 40, height: int = 30) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (_png()[:-40], "image/png"),
        (b"no image at all", "image/jpeg"),
        (b"", "image/png"),
        (b'{"inputs": "no base64!"}', "application/json"),
        (b'{"inputs": "https://example.com/cat.png"}', "application/json"),
        (b'{"inputs": {"url": "x"}}', "application/json"),
    ],
)
def test_what_is_no_image_is_refused(hangar: Hangar, body: bytes, content_type: str) -> None:
    response = hangar.server("vision").post(body, content_type)

    assert response.status_code == 400
    assert "inputs" in response.json()["error"]


def test_what_is_where_in_an_image_is_what_the_pipeline_finds(hangar: Hangar) -> None:
    """For several images of different sizes, too."""
    picture = _png(60, 30)
    expected = hangar.pipeline("object-detection", "detector")(_image(picture), threshold=0.2)
    server = hangar.server("detector")

    one = server.answer(base64.b64encode(picture).decode(), threshold=0.2)
    several = server.answer([base64.b64encode(one).decode() for one in (picture, _png(30, 60))], threshold=0.2)

    assert len(expected) > 0
    assert_alike(one, expected)
    assert len(several) == 2
    assert server.answer(base64.b64encode(picture).decode(), threshold=1.0) == []


def test_a_caption_is_what_generate_writes(hangar: Hangar) -> None:
    from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

    directory = hangar.model_dir("captioner")
    pixels = AutoImageProcessor.from_pretrained(directory)(images=_image(_png()), return_tensors="pt")["pixel_values"]
    model = VisionEncoderDecoderModel.from_pretrained(directory)
    ids = model.generate(pixels, max_new_tokens=6)
    expected = AutoTokenizer.from_pretrained(directory).decode(ids[0], skip_special_tokens=True).strip()

    payload = {"inputs": base64.b64encode(_png()).decode(), "parameters": {"max_new_tokens": 6}}
    answer = hangar.server("captioner").ask(payload).json()

    assert answer == [{"generated_text": expected}]


def tone(rate: int, *, seconds: float = 1.0, hertz: float = 440.0) -> list[float]:
    return [0.5 * math.sin(2 * math.pi * hertz * index / rate) for index in range(int(rate * seconds))]


def wav(rate: int = 16_000, *, width: int = 2, channels: int = 1, seconds: float = 1.0) -> bytes:
    """A tone, as a WAV file of whole numbers of so many bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((channels, width, rate, 0, "NONE", ""))
        most = 2 ** (8 * width - 1) - 1
        for sample in tone(rate, seconds=seconds):
            number = round(sample * most) + (128 if width == 1 else 0)
            sound.writeframesraw(number.to_bytes(width, "little", signed=width > 1) * channels)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("task", "name"), [("audio-classification", "hearer"), ("automatic-speech-recognition", "speller")]
)
def test_what_is_heard_is_what_the_pipeline_hears(hangar: Hangar, task: str, name: str) -> None:
    import numpy as np

    samples = np.array(tone(16_000), dtype=np.float32)
    expected = hangar.pipeline(task, name)({"raw": samples.copy(), "sampling_rate": 16_000})
    server = hangar.server(name)

    from_samples = server.answer({"raw": samples.tolist(), "sampling_rate": 16_000})
    from_file = server.post(wav(), "audio/wav").json()

    assert_alike(from_samples, expected)
    assert_roughly_alike(from_file, expected)


def assert_roughly_alike(actual: Any, expected: Any) -> None:
    """The same labels or text; sixteen bits and other sampling rates change the scores a little."""
    if isinstance(expected, dict):
        assert actual == expected
        return
    assert [one["label"] for one in actual] == [one["label"] for one in expected]
    assert [one["score"] for one in actual] == pytest.approx([one["score"] for one in expected], abs=0.05)


@pytest.mark.parametrize(
    "sound",
    [wav(width=1), wav(width=3), wav(width=4), wav(channels=2), wav(44_100), wav(8_000)],
    ids=["8 bits", "24 bits", "32 bits", "stereo", "44.1 kHz", "8 kHz"],
)
def test_every_kind_of_wav_sounds_the_same(hangar: Hangar, sound: bytes) -> None:
    server = hangar.server("hearer")

    assert_roughly_alike(server.post(sound, "audio/wav").json(), server.post(wav(), "audio/wav").json())


def test_whisper_writes_what_generate_writes_and_hears_long_sounds_to_the_end(hangar: Hangar) -> None:
    import numpy as np
    from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

    directory = hangar.model_dir("whisperer")
    samples = np.array(tone(16_000), dtype=np.float32)
    ears = WhisperFeatureExtractor.from_pretrained(directory)
    features = ears(samples, sampling_rate=16_000, return_tensors="pt")["input_features"]
    ids = WhisperForConditionalGeneration.from_pretrained(directory).generate(features, max_new_tokens=8)
    expected = AutoTokenizer.from_pretrained(directory).decode(ids[0], skip_special_tokens=True).strip()
    server = hangar.server("whisperer")

    short = server.answer({"raw": samples.tolist()}, max_new_tokens=8)
    long = server.answer(base64.b64encode(wav(seconds=65)).decode(), max_new_tokens=4)

    assert short == {"text": expected}
    assert len(long["text"].split()) > len(server.answer(samples.tolist(), max_new_tokens=4)["text"].split())


@pytest.mark.parametrize("body", [b"ID3\x04mp3", wav()[:30], b"", b"RIFF\x00\x00\x00\x00WAVE"])
def test_a_sound_that_cannot_be_read_is_refused_with_the_way_out(hangar: Hangar, body: bytes) -> None:
    response = hangar.server("hearer").post(body, "audio/mpeg")

    assert response.status_code == 400
    assert "inputs" in response.json()["error"]


TABLE = {"who": ["Ada", "Grace", "Alan"], "age": ["36", "85", "41"]}


def test_cells_are_those_that_the_pipeline_points_at(hangar: Hangar) -> None:
    import pandas as pd

    query = "how old is Ada?"
    pipe = hangar.pipeline("table-question-answering", "table-reader")
    expected = pipe(table=pd.DataFrame(TABLE, dtype=object), query=query)
    server = hangar.server("table-reader")

    one = server.answer({"query": query, "table": TABLE})
    as_rows = server.answer({"query": query, "table": [dict(zip(TABLE, row)) for row in zip(*TABLE.values())]})  # noqa: B905
    several = server.answer({"query": [query, "who?"], "table": TABLE})

    assert one["cells"] == [cell.strip() for cell in expected["cells"]]
    assert one["coordinates"] == [list(place) for place in expected["coordinates"]]
    assert (one["answer"], one["aggregator"]) == (expected["answer"], expected["aggregator"])
    assert as_rows == one == several[0]


def test_a_long_text_is_read_to_its_end_for_entities(hangar: Hangar) -> None:
    entities = hangar.server("entities").answer(LONG_TEXT, ignore_labels=[])

    assert [entity["index"] for entity in entities] == list(range(1, len(entities) + 1))
    assert entities[-1]["end"] == len(LONG_TEXT)


def test_the_answer_is_a_span_of_the_context(hangar: Hangar) -> None:
    server = hangar.server("reader")

    one = server.answer({"question": "what was great?", "context": TEXT})
    several = server.answer({"question": "what was great?", "context": LONG_TEXT}, top_k=3)

    assert one["answer"] == TEXT[one["start"] : one["end"]] != ""
    assert 0 < one["score"] < 1
    assert [entry["answer"] for entry in several] == [LONG_TEXT[e["start"] : e["end"]] for e in several]
    assert len({(entry["start"], entry["end"]) for entry in several}) == 3


def test_the_best_span_is_the_best_of_all_spans(hangar: Hangar) -> None:
    """Found by trying every one, with the model in this process; spans of the same words are one answer."""
    import torch
    from transformers import AutoTokenizer, BertForQuestionAnswering

    tokenizer = AutoTokenizer.from_pretrained(hangar.model_dir("reader"))
    model = BertForQuestionAnswering.from_pretrained(hangar.model_dir("reader"))
    batch = tokenizer("what was great?", TEXT, return_tensors="pt")
    with torch.inference_mode():
        output = model(**batch)
    context = [place for place, sequence in enumerate(batch.sequence_ids(0)) if sequence == 1]
    places = [0, *context]  # what has no answer is at the first token
    starts = dict(zip(places, output.start_logits[0][places].softmax(-1).tolist(), strict=True))
    ends = dict(zip(places, output.end_logits[0][places].softmax(-1).tolist(), strict=True))
    spans = [(starts[one] * ends[two], one, two) for one in context for two in context if 0 <= two - one < 15]
    by_words: dict[tuple[int, int], float] = {}
    for score, first, last in sorted(spans, reverse=True)[:12]:
        words = batch.token_to_word(0, first), batch.token_to_word(0, last)
        by_words[words] = by_words.get(words, 0.0) + score
    best = max(by_words.values())

    answer = hangar.server("reader").answer({"question": "what was great?", "context": TEXT})

    assert answer["score"] == pytest.approx(best, abs=1e-5)


def test_question_and_context_are_read_without_inputs_too(hangar: Hangar) -> None:
    server = hangar.server("reader")
    question = {"question": "what was great?", "context": TEXT}

    bare, listed = server.ask(question), server.answer([question, question])

    assert_alike(listed, [bare.json()] * 2)


def test_sentence_vectors_are_pooled_and_of_length_one_as_the_model_says(hangar: Hangar) -> None:
    one = hangar.server("sentence-encoder").answer("great")
    several = hangar.server("sentence-encoder").answer(["great", "a much longer sentence than that one"])
    raw = hangar.server("sentence-encoder").answer("great", pooling="none", normalize=False)

    means = [sum(column) / len(raw[0]) for column in zip(*raw[0], strict=True)]
    length = math.sqrt(sum(mean * mean for mean in means))
    assert_alike(one, [mean / length for mean in means])
    assert_alike(several[0], one)


def test_similarity_is_the_cosine_of_the_vectors(hangar: Hangar) -> None:
    sentences = ["great", "awful", "the movie was great"]
    vectors = hangar.server("sentence-encoder").answer(sentences)

    cosines = hangar.server("similarity").answer({"source_sentence": "great", "sentences": sentences})

    assert_alike(cosines, [sum(a * b for a, b in zip(vectors[0], vector, strict=True)) for vector in vectors])


def test_ranking_is_best_first_with_places(hangar: Hangar) -> None:
    texts = ["the movie", "awful", "great day"]

    ranked = hangar.server("ranker").answer({"query": "great", "texts": texts}, return_text=True)

    assert sorted(entry["index"] for entry in ranked) == [0, 1, 2]
    assert [entry["score"] for entry in ranked] == sorted((entry["score"] for entry in ranked), reverse=True)
    assert all(entry["text"] == texts[entry["index"]] for entry in ranked)


def test_generation_is_that_of_generate(hangar: Hangar) -> None:
    """Alone, and in a batch with a prompt of another length."""
    from transformers import AutoTokenizer, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(hangar.model_dir("decoder"))
    model = GPT2LMHeadModel.from_pretrained(hangar.model_dir("decoder"))
    batch = tokenizer("the movie", return_tensors="pt")
    expected = model.generate(
        batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=8, do_sample=False
    )

    server = hangar.server("decoder")
    alone = server.answer("the movie", max_new_tokens=8)
    together = server.answer(["the movie", "honestly a great day with friends"], max_new_tokens=8)

    assert alone == [{"generated_text": tokenizer.decode(expected[0], skip_special_tokens=True)}]
    assert together[0] == alone


def test_generation_heeds_its_parameters(hangar: Hangar) -> None:
    server = hangar.server("decoder")

    completion = server.answer("the movie", max_new_tokens=6, return_full_text=False)[0]["generated_text"]
    stopped = server.answer("the movie", max_new_tokens=6, return_full_text=False, stop=[completion.split()[-1]])
    seeded = [server.answer("the movie", max_new_tokens=6, do_sample=True, temperature=2.0, seed=7) for _ in range(2)]
    copies = server.answer("the movie", max_new_tokens=6, do_sample=True, temperature=5.0, num_return_sequences=3)

    assert not completion.startswith("the movie")
    assert stopped[0]["generated_text"] == completion[: completion.find(completion.split()[-1])]
    assert seeded[0] == seeded[1]
    assert len({copy["generated_text"] for copy in copies}) == 3


def test_generation_ends_at_the_models_context(hangar: Hangar) -> None:
    server = hangar.server("decoder")

    fits = server.ask({"inputs": "great " * 100, "parameters": {"max_new_tokens": 1000}})
    too_long = server.ask({"inputs": "great " * 200})

    assert fits.status_code == 200
    assert (too_long.status_code, "the model reads 128" in too_long.json()["error"]) == (400, True)


def test_a_conversation_is_rendered_by_the_models_template(hangar: Hangar) -> None:
    messages = [{"role": "user", "content": "great movie"}]
    server = hangar.server("decoder")

    whole = server.answer(messages, max_new_tokens=5)[0]["generated_text"]
    only_answer = server.answer({"messages": messages}, max_new_tokens=5, return_full_text=False)[0]["generated_text"]
    refused = server.ask({"inputs": [{"role": "pirate", "content": "arr"}]})

    assert whole == [*messages, {"role": "assistant", "content": only_answer}]
    assert (refused.status_code, "there is no role pirate" in refused.json()["error"]) == (400, True)


def test_summaries_are_those_of_generate(hangar: Hangar) -> None:
    from transformers import AutoTokenizer, T5ForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(hangar.model_dir("rewriter"))
    model = T5ForConditionalGeneration.from_pretrained(hangar.model_dir("rewriter"))
    expected = model.generate(tokenizer(TEXT, return_tensors="pt")["input_ids"], max_new_tokens=8)

    answers = hangar.server("rewriter").answer([TEXT, "great"], max_new_tokens=8)

    assert answers[0] == {"summary_text": tokenizer.decode(expected[0], skip_special_tokens=True)}
    assert len(answers) == 2


def test_scikit_learn_pipelines_read_text_and_rows(hangar: Hangar) -> None:
    words, numbers = hangar.server("estimator"), hangar.server("numbers")

    assert words.answer(["a great movie", "an awful movie"]) == ["POSITIVE", "NEGATIVE"]
    assert words.answer("a great movie") == "POSITIVE"
    assert numbers.answer([[0.9, 0.1], [0.1, 0.9]]) == [True, False]
    assert numbers.answer([0.9, 0.1], method="predict_proba") == [0.0, 1.0]


def test_scikit_learn_speaks_npy_both_ways(hangar: Hangar) -> None:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.array([[0.9, 0.1], [0.1, 0.9]]))

    response = hangar.server("numbers").post(buffer.getvalue(), "application/x-npy", accept="application/x-npy")

    assert np.load(io.BytesIO(response.content)).tolist() == [True, False]


def test_a_pickle_that_nobody_vouches_for_is_not_loaded(hangar: Hangar) -> None:
    server = start(hangar.model_dir("estimator"))

    assert server.process.wait(timeout=30) == 1
    assert "pickle" in server.log.read_text().splitlines()[-1]
    server.client.close()


STRANGE: list[Any] = [
    None, True, 3, -1e308, "", " ", "a" * 20_000, "\u0000\uffff\U0001f600", [], [[]], [None], ["ok", 3],
    [[["deep"]]], {},
    {"text": 1}, {"question": "q"}, {"question": "", "context": ""}, {"question": "q", "context": " "},
    {"question": "q " * 500, "context": "c " * 500}, {"query": "q"}, {"query": "q", "texts": [1]},
    {"query": "q", "table": {}}, {"query": "q", "table": {"a": ["1"], "b": []}}, {"query": "q", "table": {"a": [[1]]}},
    {"query": [1], "table": {"a": [1]}}, {"query": "q " * 300, "table": {"a": ["1"]}},
    {"query": "q", "table": [{"a": 1}, {}]}, {"query": "q", "table": {"a": ["x " * 300] * 30}},
    {"raw": [], "sampling_rate": 16000}, {"raw": ["a"]}, {"raw": [[0.1]]}, {"raw": [0.1], "sampling_rate": 0},
    {"raw": [0.1]}, {"raw": [1e300, -1e300] * 900}, {"array": [0.5] * 3, "sampling_rate": 8000},
    {"source_sentence": 1, "sentences": []}, {"source_sentence": "a", "sentences": "b"}, [{"role": "user"}],
    [{"role": 1, "content": 2}], {"messages": []}, {"sequences": 3}, [1, "2"], [[1], [1, 2]], [[1e307] * 3],
    ["[MASK]", "no mask"], "[MASK]" * 100, {"image": "AAAA"},
]  # fmt: skip
STRANGE_PARAMETERS: list[Any] = [
    None, [], 3, "x", {"top_k": -1}, {"top_k": "all"}, {"max_new_tokens": 0}, {"max_new_tokens": 10**12},
    {"temperature": -1},
    {"temperature": 1e-40, "do_sample": True, "max_new_tokens": 2},
    {"num_beams": 3, "do_sample": False, "max_new_tokens": 2},
    {"num_return_sequences": 4, "do_sample": False, "max_new_tokens": 2}, {"stop": [""], "max_new_tokens": 2},
    {"candidate_labels": []}, {"candidate_labels": ["a"] * 300}, {"candidate_labels": [1]},
    {"hypothesis_template": "none"},
    {"candidate_labels": "a", "hypothesis_template": "{} {0} {x}"}, {"targets": []}, {"targets": ["zzqq", ""]},
    {"aggregation_strategy": "best"}, {"doc_stride": 4000}, {"max_seq_len": 16}, {"max_answer_len": 512},
    {"method": "fit"},
    {"min_length": 50, "max_new_tokens": 2}, {"no_repeat_ngram_size": 1, "max_new_tokens": 3}, {"tgt_lang": "fr"},
    {"src_lang": "fr"}, {"function_to_apply": "exp"}, {"unheard_of": 1}, {"seed": -1},
    {"typical_p": 0, "do_sample": True},
    {"top_p": 0, "do_sample": True, "max_new_tokens": 2}, {"top_k": 0, "do_sample": True, "max_new_tokens": 2},
    {"min_new_tokens": 9, "max_new_tokens": 2}, {"max_length": 1},
    {"length_penalty": 2, "num_beams": 2, "max_new_tokens": 2}, {"threshold": 2}, {"threshold": 0},
    {"language": "klingon"}, {"task": "sing"}, {"task": "translate", "language": "fr", "max_new_tokens": 2},
]  # fmt: skip
PARAMETERS: dict[str, Any] = {
    "inferrer": {"candidate_labels": "a"},
    "decoder": {"max_new_tokens": 2},
    "rewriter": {"max_new_tokens": 2},
}
GOOD_INPUTS: dict[str, Any] = {
    "masked": "a [MASK]",
    "reader": {"question": "who?", "context": TEXT},
    "similarity": {"source_sentence": "a", "sentences": ["b"]},
    "ranker": {"query": "a", "texts": ["b"]},
    "vision": base64.b64encode(_png()).decode(),
    "detector": base64.b64encode(_png()).decode(),
    "captioner": base64.b64encode(_png()).decode(),
    "hearer": {"raw": [0.1, -0.1] * 2000, "sampling_rate": 8000},
    "speller": base64.b64encode(wav()).decode(),
    "whisperer": [0.1, -0.1] * 2000,
    "table-reader": {"query": "how many?", "table": TABLE},
    "numbers": [[1, 2]],
}


@pytest.mark.parametrize("name", SERVERS)
def test_nothing_that_a_caller_sends_is_ever_the_servers_fault(hangar: Hangar, name: str) -> None:
    server = hangar.server(name)
    good = GOOD_INPUTS.get(name, "great")
    bodies = [json.dumps({"inputs": value, "parameters": PARAMETERS.get(name)}) for value in STRANGE]
    bodies += [json.dumps({"inputs": good, "parameters": value}) for value in STRANGE_PARAMETERS]
    bodies += [json.dumps(value) for value in STRANGE]
    binary = [
        (content, kind)
        for content in (b"", b"\xff" * 50, b"{}", b"\x93NUMPY")
        for kind in (
            "text/csv",
            "application/x-npy",
            "image/png",
            "audio/wav",
            "text/plain",
            "application/jsonlines",
            "application/octet-stream",
        )
    ]

    answers = {body: server.post(body.encode(), "application/json") for body in bodies}
    answers.update({str(pair): server.post(*pair) for pair in binary})

    faults = {body[:200]: answer.text for body, answer in answers.items() if answer.status_code >= 500}
    assert faults == {}
    assert server.ping() == 200
    assert server.process.poll() is None


def test_an_architecture_that_is_not_served_says_so(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["BarkModel"]}')

    server = start(tmp_path / "model")

    assert server.process.wait(timeout=30) == 1
    assert "BarkModel" in server.log.read_text().splitlines()[-1]
    server.client.close()
