"""The way to the Hub, over real HTTP: the adapter, the gate of `tarmac up`, the fetching child, the command line."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import HubRefused, HubUnavailable
from chalicelib.hub import HuggingFaceHub
from chalicelib.reports import HubModel
from examples.encoders import inferrer
from tarmac.demo_engine import EngineProcess
from tarmac.local.hub_gate import HubGate
from tarmac.local.hub_models import HubModels
from tarmac.local.unpacking import BadArchiveError, UnpackingStopped
from tests.hub_server import TOKEN, HubServer
from tests.local.engines import tarmac

FILES = {
    "config.json": json.dumps({"architectures": ["BertForSequenceClassification"]}).encode(),
    "model.safetensors": b"s" * (2 << 20),
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"the same weights again",
    "onnx/model.onnx": b"and again",
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add("acme/cat", FILES, pipeline_tag="text-classification", safetensors={"parameters": {"F32": 500_000}})
        yield hub


def nobody_s_url() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def environment(hub: HubServer | str, commit: str) -> dict[str, str]:
    url = hub if isinstance(hub, str) else hub.url
    named = {"HF_MODEL_ID": "acme/cat", "HF_MODEL_REVISION": commit, "HF_ENDPOINT": url}
    return {**named, "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}


# The adapter.


def test_the_hub_says_commit_files_sizes_and_parameters(hub: HubServer) -> None:
    """And a small file is read at that very commit."""
    asked = HuggingFaceHub(hub.url)
    repo = asked.look_up(HubModel("acme/cat"))
    hub.repos["acme/cat"].commit({**FILES, "config.json": b"{}"})

    assert repo.commit == next(iter(hub.repos["acme/cat"].commits))
    assert {file.path: file.size_bytes for file in repo.files} == {path: len(body) for path, body in FILES.items()}
    assert (repo.parameters, repo.pipeline_tag, repo.is_open) == ({"F32": 500_000}, "text-classification", True)
    assert asked.read(repo, "config.json", max_bytes=1 << 20) == FILES["config.json"]
    assert asked.read(repo, "model.safetensors", max_bytes=10) == b"s" * 10


def test_a_revision_with_slashes_is_one_revision(hub: HubServer) -> None:
    """As the Hub's own pull requests with safetensors have them."""
    commit = hub.repos["acme/cat"].commit({"a": b"b"}, branch="refs/pr/1")

    assert HuggingFaceHub(hub.url).look_up(HubModel("acme/cat", "refs/pr/1")).commit == commit


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_hub_in_trouble_is_unavailable_and_says_when_to_come_again(hub: HubServer, status: int) -> None:
    """No verdict on the model."""
    hub.fails_with = status

    with pytest.raises(HubUnavailable) as caught:
        HuggingFaceHub(hub.url).look_up(HubModel("acme/cat"))

    assert (caught.value.is_retryable, caught.value.retry_after_s) == (True, 7.0)


def test_a_hub_that_cannot_be_reached_is_named() -> None:
    """With the reason."""
    url = nobody_s_url()

    with pytest.raises(HubUnavailable, match=f"cannot be reached at {url}: .*refused"):
        HuggingFaceHub(url).look_up(HubModel("acme/cat"))


def test_what_is_no_description_is_no_verdict_either(hub: HubServer) -> None:
    """A proxy's login page, or a mirror that answers otherwise."""
    hub.repos["acme/cat"].facts["sha"] = "not a hash"

    with pytest.raises(HubUnavailable, match="no description"):
        HuggingFaceHub(hub.url).look_up(HubModel("acme/cat"))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (HubModel("acme/none"), "does not exist, or is not open"),
        (HubModel("acme/cat", "v9"), "no revision 'v9'"),
        (HubModel("acme/secret"), "does not exist, or is not open"),
    ],
)
def test_what_is_not_there_or_not_ours_is_refused_with_the_fix(hub: HubServer, model: HubModel, words: str) -> None:
    """To the nameless the Hub does not tell one from the other."""
    hub.add("acme/secret", FILES).is_private = True

    with pytest.raises(HubRefused, match=words) as caught:
        HuggingFaceHub(hub.url).look_up(model)

    assert caught.value.fix
    assert not caught.value.is_retryable


def test_a_token_opens_what_is_private_and_gated(hub: HubServer) -> None:
    """And without it a gated model's facts are open, and its files are not."""
    gated = hub.add("acme/gated", FILES)
    gated.is_gated = True
    named = HubModel("acme/gated")
    repo = HuggingFaceHub(hub.url).look_up(named)

    with pytest.raises(HubRefused, match="gated"):
        HuggingFaceHub(hub.url).read(repo, "config.json", max_bytes=99)

    assert not repo.is_open
    assert HuggingFaceHub(hub.url, TOKEN).read(repo, "config.json", max_bytes=999) == FILES["config.json"]


# The gate of `tarmac up`.


def test_the_gate_passes_questions_about_models_on_and_nothing_else(hub: HubServer) -> None:
    """Through a child: this process only ever speaks to loopback."""
    gate = HubGate(hub.url, os.environ)
    try:
        asked = HuggingFaceHub(gate.start())
        repo = asked.look_up(HubModel("acme/cat"))

        assert asked.read(repo, "config.json", max_bytes=999) == FILES["config.json"]
        with pytest.raises(HubRefused, match="no revision"):
            asked.look_up(HubModel("acme/cat", "v9"))
        with pytest.raises(HubRefused):
            asked.look_up(HubModel("../../whoami-v2"))
        assert not [line for line in hub.asked if "whoami" in line]
    finally:
        gate.stop()


def test_the_gate_says_plainly_that_the_hub_is_out_of_reach() -> None:
    """In the words of the one who tried, with the Hub's own address."""
    url = nobody_s_url()
    gate = HubGate(url, os.environ)
    try:
        with pytest.raises(HubUnavailable, match=f"cannot be reached at {url}"):
            HuggingFaceHub(gate.start()).look_up(HubModel("acme/cat"))
    finally:
        gate.stop()


# The fetching child.


def fetch(models: HubModels, told: dict[str, str], into: Path) -> list[str]:
    said: list[str] = []
    into.mkdir()
    models.fetch(told, into, is_stopped=lambda: False, say=said.append)
    return said


def test_a_model_is_fetched_by_the_hub_s_own_client_and_then_comes_from_the_cache(
    hub: HubServer, tmp_path: Path
) -> None:
    """Only what serving loads; the second start asks nobody."""
    commit = hub.repos["acme/cat"].branches["main"]
    models = HubModels(tmp_path / "cache")

    first = fetch(models, environment(hub, commit), tmp_path / "one")
    hub.asked.clear()
    second = fetch(models, environment(nobody_s_url(), commit), tmp_path / "two")

    for folder in ("one", "two"):
        found = {str(path.relative_to(tmp_path / folder)) for path in (tmp_path / folder).rglob("*") if path.is_file()}
        assert found == {"config.json", "model.safetensors", "tokenizer.json"}
        assert (tmp_path / folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert "was fetched" in first[0]
    assert "from the cache" in second[0]
    assert hub.asked == []


def test_offline_and_uncached_fails_with_a_clear_line(tmp_path: Path) -> None:
    """Which model, from where, and why not."""
    url = nobody_s_url()

    with pytest.raises(BadArchiveError, match=f"model acme/cat could not be fetched from {url}: .*refused"):
        fetch(HubModels(tmp_path / "cache"), environment(url, "0" * 40), tmp_path / "model")


def test_a_fetch_can_be_called_off(hub: HubServer, tmp_path: Path) -> None:
    """The child is ended."""
    with pytest.raises(UnpackingStopped):
        HubModels(tmp_path / "cache").fetch(
            environment(hub, "0" * 40), tmp_path, is_stopped=lambda: True, say=lambda _: None
        )


# The command line.


def checked(hub: HubServer | str, path: Path) -> Any:
    url = hub if isinstance(hub, str) else hub.url
    return tarmac("check", str(path), "--json", env={"HF_ENDPOINT": url})


def test_check_judges_a_deploy_toml_alone_or_in_a_folder_of_its_own(hub: HubServer, tmp_path: Path) -> None:
    """With the plan; refused where the Hub has none; an error where it cannot be asked."""
    toml = tmp_path / "deploy.toml"
    toml.write_text('hub_model = "acme/cat"\n')

    for path in (toml, tmp_path):
        ran = checked(hub, path)
        assert ran.code == 0, ran.err
        assert ran.raw["plan"]["hub_model"]["id"] == "acme/cat"
    toml.write_text('hub_model = "acme/none"\n')
    refused, away = checked(hub, toml), checked(nobody_s_url(), toml)

    assert (refused.code, refused.raw["verdict"]) == (1, "refused")
    assert (away.code, away.problem["code"]) == (1, "hub_unavailable")


def test_push_hub_makes_the_file_and_follows_it_until_the_model_answers(hub: HubServer, tmp_path: Path) -> None:
    """A real engine, whose model server fetches from the same Hub; a PATH beside --hub is misuse."""
    inferrer(tmp_path / "tiny")
    files = {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()}
    commit = hub.add("acme/tiny", files, pipeline_tag="text-classification").branches["main"]
    state = ("--state", str(tmp_path / "state"))
    named = {"HF_ENDPOINT": hub.url}
    os.environ.update(named)
    engine = EngineProcess(tmp_path / "state", idle_after="1h", sweep_every="1s")
    try:
        engine.start()
        pushed = tarmac("push", "--hub", "acme/tiny", "--name", "tiny", "--wait", "--json", *state, env=named)
        shown = tarmac("status", "tiny", "--json", *state)
        answered = tarmac("invoke", "tiny", "a fine film", *state)
        misused = tarmac("push", str(tmp_path), "--hub", "acme/tiny", "--name", "tiny", *state, env=named)
    finally:
        engine.kill()
        del os.environ["HF_ENDPOINT"]

    assert (pushed.code, pushed.raw["state"]) == (0, "ready"), pushed.err
    assert shown.raw["hub_model"] == {"id": "acme/tiny", "revision": commit}
    assert "label" in answered.out
    assert misused.code == 2
