"""Texts written together and streamed: server-sent events from serve.py, and many callers in one batch."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples import generators
from tests.local.serving import ModelServer, served, wait_until_ready

CONTEXT = 2048
EVENTS = "text/event-stream"


@pytest.fixture(scope="module")
def writer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "writer"
    generators.decoder(directory, context=CONTEXT)
    return directory


@pytest.fixture(scope="module")
def server(writer_dir: Path) -> Iterator[ModelServer]:
    with served(writer_dir) as running:
        yield running


@contextmanager
def streamed(server: ModelServer, inputs: Any, **parameters: Any) -> Iterator[httpx.Response]:
    payload = {"inputs": inputs, "parameters": parameters}
    with server.client.stream("POST", "/invocations", json=payload, headers={"accept": EVENTS}) as response:
        yield response


def events_of(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line:
            assert line.startswith("data:")
            yield json.loads(line.removeprefix("data:"))


def figure(server: ModelServer, name: str) -> int:
    lines = dict(line.rsplit(" ", 1) for line in server.client.get("/metrics").text.splitlines() if line[0] != "#")
    return int(lines[name])


def test_a_stream_says_token_by_token_what_the_whole_answer_says(server: ModelServer) -> None:
    whole = server.answer("the movie", max_new_tokens=30, return_full_text=False)[0]["generated_text"]

    with streamed(server, "the movie", max_new_tokens=30) as response:
        events = list(events_of(response))

    assert response.headers["content-type"] == EVENTS
    assert "".join(event["token"]["text"] for event in events) == whole
    assert [event["index"] for event in events] == list(range(1, 31))
    assert [event["generated_text"] for event in events] == [None] * 29 + [whole]
    assert events[-1]["details"] == {"finish_reason": "length", "generated_tokens": 30}
    assert all(event["token"]["logprob"] < 0 for event in events)


def test_tokens_come_while_the_others_are_being_written(server: ModelServer) -> None:
    with streamed(server, "the movie", max_new_tokens=400) as response:
        came = [time.monotonic() for _ in events_of(response)]

    assert len(came) == 400
    assert came[0] - came[-1] < -0.2


def test_a_stop_ends_a_stream_and_is_not_in_it(server: ModelServer) -> None:
    whole = server.answer("the movie", max_new_tokens=30, return_full_text=False)[0]["generated_text"]
    stop = whole[len(whole) // 2 :][:4]

    with streamed(server, "the movie", max_new_tokens=30, stop=[stop]) as response:
        events = list(events_of(response))

    assert "".join(event["token"]["text"] for event in events) == whole[: whole.find(stop)]
    assert events[-1]["generated_text"] == whole[: whole.find(stop)]
    assert events[-1]["details"]["finish_reason"] == "stop_sequence"


def test_a_conversation_is_streamed_without_its_beginning(server: ModelServer) -> None:
    with streamed(server, [{"role": "user", "content": "great movie"}], max_new_tokens=5) as response:
        events = list(events_of(response))

    assert len(events) == 5
    assert "great movie" not in events[-1]["generated_text"]


@pytest.mark.parametrize(
    ("inputs", "parameters", "named"),
    [
        (["a", "b"], {}, "inputs"),
        ("a", {"num_return_sequences": 2, "do_sample": True}, "inputs"),
        ("a", {"num_beams": 2}, "parameters.num_beams"),
        (3, {}, "inputs"),
    ],
)
def test_what_cannot_be_streamed_is_refused_before_it_begins(
    server: ModelServer, inputs: Any, parameters: dict[str, Any], named: str
) -> None:
    with streamed(server, inputs, **parameters) as response:
        body = json.loads(response.read())

    assert response.status_code == 400
    assert named in body["error"]


def test_a_caller_who_goes_away_stops_the_writing(server: ModelServer) -> None:
    before = figure(server, "tarmac_batch_items_count")

    with streamed(server, "the movie", max_new_tokens=2000) as response:
        next(events_of(response))
    server.answer("the movie", max_new_tokens=1)

    assert figure(server, "tarmac_batch_items_count") - before < 1000


def test_a_caller_who_does_not_wait_for_a_whole_answer_stops_the_writing_too(server: ModelServer) -> None:
    before = figure(server, "tarmac_batch_items_count")
    body = {"inputs": "the movie", "parameters": {"max_new_tokens": 2000}}

    with httpx.Client(base_url=server.client.base_url, trust_env=False) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/invocations", json=body, timeout=0.2)
    server.answer("the movie", max_new_tokens=1)

    assert figure(server, "tarmac_batch_items_count") - before < 1000


def alone(writer_dir: Path, text: str, tokens: int) -> str:
    from transformers import AutoTokenizer, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(writer_dir)
    model = GPT2LMHeadModel.from_pretrained(writer_dir)
    batch = tokenizer(text, return_tensors="pt")
    options = {"max_new_tokens": tokens, "do_sample": False, "attention_mask": batch["attention_mask"]}
    return str(tokenizer.decode(model.generate(batch["input_ids"], **options)[0], skip_special_tokens=True))


def test_callers_who_come_and_go_share_passes_and_each_gets_what_generate_would_give_it_alone(
    server: ModelServer, writer_dir: Path
) -> None:
    cases = [("great " * length, 8 + 5 * length) for length in range(1, 9)]
    passes, tokens = figure(server, "tarmac_batch_items_count"), sum(count for _, count in cases)

    def ask(number: int) -> str:
        time.sleep(number * 0.01)
        text, count = cases[number]
        with httpx.Client(base_url=server.client.base_url, trust_env=False) as client:
            payload = {"inputs": text, "parameters": {"max_new_tokens": count}}
            return str(client.post("/invocations", json=payload).json()[0]["generated_text"])

    with ThreadPoolExecutor(8) as callers:
        texts = list(callers.map(ask, range(8)))

    expected = [alone(writer_dir, text, count) for text, count in cases]
    assert [text[len(case[0]) :].split() for text, case in zip(texts, cases, strict=True)] == [
        text[len(case[0].strip()) :].split() for text, case in zip(expected, cases, strict=True)
    ]
    assert figure(server, "tarmac_batch_items_count") - passes < tokens


def test_a_seed_gives_the_same_text_whoever_else_asks(server: ModelServer) -> None:
    wish = {"max_new_tokens": 20, "do_sample": True, "temperature": 3.0, "seed": 5}
    lonely = server.answer("the movie", **wish)
    noise = threading.Thread(target=lambda: server.answer(["great day"] * 7, max_new_tokens=200, do_sample=True))
    noise.start()

    in_company = server.answer("the movie", **wish)
    noise.join()

    assert in_company == lonely


@pytest.mark.parametrize(
    "wishes",
    [
        {"repetition_penalty": 1.7},
        {"no_repeat_ngram_size": 2},
        {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "stop": ["zzzz"]},
    ],
)
def test_wishes_about_repetition_are_those_of_generate(
    server: ModelServer, writer_dir: Path, wishes: dict[str, Any]
) -> None:
    from transformers import AutoTokenizer, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(writer_dir)
    model = GPT2LMHeadModel.from_pretrained(writer_dir)
    batch = tokenizer("the movie was great", return_tensors="pt")
    options = {name: value for name, value in wishes.items() if name != "stop"}
    ids = model.generate(
        batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=20, do_sample=False, **options
    )

    answers = server.answer(["the movie was great", "a"], max_new_tokens=20, **wishes)

    assert answers[0][0]["generated_text"] == tokenizer.decode(ids[0], skip_special_tokens=True)


def test_more_inputs_than_fit_into_a_batch_are_answered_in_order(server: ModelServer) -> None:
    answers = server.answer(["great", "awful day"] * 40, max_new_tokens=3)

    assert answers == [answers[0], answers[1]] * 40
    assert answers[0] != answers[1]


def test_beams_are_left_to_generate_and_still_answered(server: ModelServer) -> None:
    assert len(server.answer("the movie", max_new_tokens=4, num_beams=3, num_return_sequences=2)) == 2


FRAGILE = """
from transformers import GPT2LMHeadModel

class Odd(GPT2LMHeadModel):
    def forward(self, input_ids=None, attention_mask=None, POSITIONS**options):
        if attention_mask is not None and attention_mask.shape[-1] > 40:
            raise RuntimeError("the weights are worn out")
        return super().forward(input_ids, attention_mask=attention_mask, PASSED**options)
"""


def odd_writer(writer_dir: Path, directory: Path, source: str) -> Path:
    """The writer under a class of the archive's own."""
    shutil.copytree(writer_dir, directory)
    config = json.loads((directory / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "odd.Odd"}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "odd.py").write_text(source)
    return directory


def test_a_model_that_fails_midway_breaks_the_stream_and_says_so_and_serves_on(
    writer_dir: Path, tmp_path: Path
) -> None:
    source = FRAGILE.replace("POSITIONS", "position_ids=None, ").replace("PASSED", "position_ids=position_ids, ")
    directory = odd_writer(writer_dir, tmp_path / "fragile", source)
    events: list[dict[str, Any]] = []

    def read_to_the_end() -> None:
        with streamed(server, "the movie", max_new_tokens=100) as response:
            for event in events_of(response):
                events.append(event)  # noqa: PERF402  # those before the break must be kept

    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            read_to_the_end()
        whole = server.ask({"inputs": "the movie", "parameters": {"max_new_tokens": 100}})
        after = server.answer("the movie", max_new_tokens=3)

    assert [event["index"] for event in events[:-1]] == list(range(1, len(events)))
    assert "worn out" in events[-1]["error"]
    assert (whole.status_code, "worn out" in whole.json()["error"]) == (500, True)
    assert len(after) == 1


def test_a_step_that_hangs_fails_what_is_being_written_and_the_server_recovers(
    writer_dir: Path, tmp_path: Path
) -> None:
    source = FRAGILE.replace("POSITIONS", "position_ids=None, ").replace("PASSED", "position_ids=position_ids, ")
    slow = source.replace('raise RuntimeError("the weights are worn out")', "__import__('time').sleep(3)")
    directory = odd_writer(writer_dir, tmp_path / "slow", slow)

    limits = {"TARMAC_TIMEOUT_S": "0.5", "TARMAC_GIVE_UP_S": "30"}
    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path), **limits) as server:
        whole = server.ask({"inputs": "the movie", "parameters": {"max_new_tokens": 100}})
        meanwhile = server.ping()
        wait_until_ready(server)
        after = server.ask({"inputs": "the movie", "parameters": {"max_new_tokens": 3}})

    assert (whole.status_code, meanwhile, after.status_code) == (504, 503, 200)


def test_a_prompt_that_the_model_fails_at_fails_alone(writer_dir: Path, tmp_path: Path) -> None:
    source = FRAGILE.replace("POSITIONS", "position_ids=None, ").replace("PASSED", "position_ids=position_ids, ")
    bad_id = json.loads((writer_dir / "tokenizer.json").read_text())["model"]["vocab"]["awful"]
    directory = odd_writer(
        writer_dir,
        tmp_path / "picky",
        source.replace("if attention_mask is not None and attention_mask.shape[-1] > 40:",
                       f"if input_ids.shape[-1] > 1 and (input_ids == {bad_id}).any():"),
    )  # fmt: skip

    def ask(number: int) -> int:
        with httpx.Client(base_url=server.client.base_url, trust_env=False) as client:
            inputs = ["great day", "an awful day"] if number % 2 else "a great day"
            payload = {"inputs": inputs, "parameters": {"max_new_tokens": 30}}
            return client.post("/invocations", json=payload).status_code

    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server, ThreadPoolExecutor(16) as callers:
        statuses = list(callers.map(ask, range(64)))

    assert statuses == [200, 500] * 32


def test_a_text_that_the_model_fails_at_midway_takes_no_other_with_it(writer_dir: Path, tmp_path: Path) -> None:
    source = FRAGILE.replace("POSITIONS", "position_ids=None, ").replace("PASSED", "position_ids=position_ids, ")
    directory = odd_writer(writer_dir, tmp_path / "fragile", source)
    expected = alone(writer_dir, "a great day", 20)

    def ask(number: int) -> tuple[int, Any]:
        with httpx.Client(base_url=server.client.base_url, trust_env=False) as client:
            payload = {"inputs": "a great day", "parameters": {"max_new_tokens": 20 if number % 4 else 100}}
            response = client.post("/invocations", json=payload)
            return response.status_code, response.json()

    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server, ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(ask, range(64)))

    assert [status for status, _ in answers] == [500, 200, 200, 200] * 16
    assert all(answer == [{"generated_text": expected}] for status, answer in answers if status == 200)


def test_a_model_whose_texts_cannot_share_a_pass_is_streamed_all_the_same(writer_dir: Path, tmp_path: Path) -> None:
    """It does not take positions, so that padding would shift them: found out at its start."""
    source = FRAGILE.replace("POSITIONS", "").replace("PASSED", "").replace("40", "4000")
    directory = odd_writer(writer_dir, tmp_path / "odd", source)

    with served(directory, TARMAC_TRUST="trusted", HF_HOME=str(tmp_path)) as server:
        whole = server.answer("the movie", max_new_tokens=9, return_full_text=False)[0]["generated_text"]
        with streamed(server, "the movie", max_new_tokens=9) as response:
            events = list(events_of(response))
        with streamed(server, "the movie", max_new_tokens=1900) as response:
            next(events_of(response))
        began = time.monotonic()
        server.answer("the movie", max_new_tokens=1)
        waited_s = time.monotonic() - began

    assert "".join(event["token"]["text"] for event in events) == events[-1]["generated_text"] == whole
    assert events[-1]["token"]["logprob"] is None
    assert waited_s < 2
