"""Every task, served live from a tiny real model, against transformers' own pipelines where they still exist."""

import base64
import io
import json
import math
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
    """Found by trying every one, with the model in this process."""
    import torch
    from transformers import AutoTokenizer, BertForQuestionAnswering

    tokenizer = AutoTokenizer.from_pretrained(hangar.model_dir("reader"))
    model = BertForQuestionAnswering.from_pretrained(hangar.model_dir("reader"))
    batch = tokenizer("what was great?", TEXT, return_tensors="pt")
    with torch.inference_mode():
        output = model(**batch)
    context = [place for place, sequence in enumerate(batch.sequence_ids(0)) if sequence == 1]
    starts = dict(zip(context, output.start_logits[0][context].softmax(-1).tolist(), strict=True))
    ends = dict(zip(context, output.end_logits[0][context].softmax(-1).tolist(), strict=True))
    best = max(starts[first] * ends[last] for first in context for last in context if 0 <= last - first < 15)

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
    {"length_penalty": 2, "num_beams": 2, "max_new_tokens": 2},
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
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["WhisperForConditionalGeneration"]}')

    server = start(tmp_path / "model")

    assert server.process.wait(timeout=30) == 1
    assert "WhisperForConditionalGeneration" in server.log.read_text().splitlines()[-1]
    server.client.close()
