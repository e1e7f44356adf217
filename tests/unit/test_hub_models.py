"""A deploy.toml alone: a model of the Hub, judged by what the Hub says; or nothing, which runs nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aws.endpoints import SageMakerEndpoints
from chalicelib.door.repositories import served_paths
from chalicelib.errors import HubUnavailable
from chalicelib.names import ReleaseId, hub_pin_key, toml_key
from chalicelib.reports import HubModel, Report
from tests.fakes import FakeWorld, fake_world, good_archive
from tests.unit import corpus
from tests.unit.scenes import CAT, NAME, app_over, settle

BERT = {
    "config.json": corpus.config(),
    "model.safetensors": corpus.safetensors("F32", count=1000),
    "tokenizer.json": b"{}",
}
HUB = b'hub_model = "acme/cat"\n'


def put(world: FakeWorld, toml: bytes) -> None:
    world.clock.advance(5)
    world.bucket.put(toml_key(CAT), toml)
    world.clock.advance(2)


def judged(files: dict[str, bytes], toml: bytes = HUB, **facts: object) -> Report:
    """What the door says of a repository."""
    world = fake_world()
    world.hub.add("acme/cat", files, **facts)
    put(world, toml)
    app = app_over(world)
    app.looker.look(CAT)
    report = app.looker.desired(CAT).report
    assert report is not None
    return report


def awake_from_hub() -> tuple[FakeWorld, object]:
    world = fake_world()
    world.hub.add("acme/cat", BERT)
    put(world, HUB)
    app = app_over(world)
    app.looker.look(CAT)
    settle(world, app)
    return world, app


def errors_of(report: Report) -> set[str]:
    return {check.id for check in report.errors}


def test_a_model_of_the_hub_is_planned_at_its_commit_with_nothing_pinned_but_that() -> None:
    """The container fetches it: no archive, no isolation, the exact commit."""
    world, app = awake_from_hub()
    commit = world.hub.repos["acme/cat"][0][0].commit
    desired = app.looker.desired(CAT)
    plan = desired.target.plan

    assert plan.hub_model == HubModel("acme/cat", commit)
    assert dict(plan.env)["HF_MODEL_ID"] == "acme/cat"
    assert dict(plan.env)["HF_MODEL_REVISION"] == commit
    assert dict(plan.env)["HF_TASK"] == "text-classification"
    assert not plan.is_isolated
    assert not plan.is_grafted
    assert any("isolation is off" in reason for reason in plan.why)
    assert world.endpoints.models == {f"{NAME}-{desired.drop.release[:8]}": ""}
    pinned = json.loads(world.bucket.objects[hub_pin_key(CAT, desired.drop.release)][0])
    assert pinned == {"hub_model": "acme/cat", "revision": commit}


def test_a_release_stays_at_its_commit_and_another_toml_moves_on() -> None:
    """The same deploy.toml again is the same release, though main has moved; a changed one is a new release."""
    world, app = awake_from_hub()
    first = app.looker.desired(CAT).target.plan.hub_model
    second = world.hub.add("acme/cat", BERT)

    put(world, HUB)
    app.looker.look(CAT)
    assert app.looker.desired(CAT).target.plan.hub_model == first
    put(world, HUB + b"# again\n")
    app.looker.look(CAT)

    assert app.looker.desired(CAT).target.plan.hub_model == HubModel("acme/cat", second)


def test_the_same_wishes_in_other_words_are_no_new_release() -> None:
    """A comment more changes the ETag and nothing else."""
    world, app = awake_from_hub()
    before = app.looker.desired(CAT).target.release

    put(world, HUB + b"# a comment\n")
    app.looker.look(CAT)

    desired = app.looker.desired(CAT)
    assert (desired.report.same_as, desired.target.release) == (before, before)


def test_a_model_of_the_hub_wakes_while_the_hub_is_away() -> None:
    """A wake works from the plan alone."""
    world, app = awake_from_hub()
    world.hub.error = HubUnavailable("away")
    world.clock.advance(1000)
    app.sweeper.sweep()
    settle(world, app)
    assert world.endpoints.status(NAME) is None

    app.commands.wake(CAT)
    world.clock.advance(2)
    app.looker.look(CAT)

    assert world.endpoints.status(NAME) == "Creating"


def test_a_hub_that_does_not_answer_is_no_verdict() -> None:
    """No report is written; what runs goes on."""
    world = fake_world()
    world.hub.error = HubUnavailable("away", retry_after_s=30)
    put(world, HUB)

    with pytest.raises(HubUnavailable):
        app_over(world).looker.look(CAT)

    assert world.bucket.keys("releases/") == []


@pytest.mark.parametrize(
    ("files", "toml", "expected"),
    [
        ({**BERT, "code/x.py": b""}, HUB, set()),
        ({"config.json": BERT["config.json"], "pytorch_model.bin": b"x" * 99}, HUB, {"hub-model-pickled"}),
        ({"config.json": BERT["config.json"], "pytorch_model.bin": b"x" * 99}, HUB + b'trust = "trusted"', set()),
        ({**BERT, "config.json": corpus.config(auto_map={"AutoModel": "x.Y"})}, HUB, {"hub-model-remote-code"}),
        (BERT, HUB + b'trust = "strict"', {"hub-model-strict"}),
        (BERT, b'hub_model = "acme/none"', {"hub-model-refused"}),
        (BERT, HUB + b'container = "sklearn"', {"hub-model-container"}),
        ({"README.md": b"#"}, HUB, {"nothing-to-serve"}),
        ({"config.json": BERT["config.json"]}, HUB, {"weights-missing"}),
        (BERT, b'idle_after = "1h"', {"archive-missing"}),
        (BERT, b'hub_model = "acme', {"archive-missing", "toml-syntax"}),
    ],
)
def test_each_repository_gets_its_verdict(files: dict[str, bytes], toml: bytes, expected: set[str]) -> None:
    """As for archives, as far as the Hub says."""
    report = judged(files, toml)

    assert errors_of(report) == expected
    assert all(check.fix for check in report.errors)


def test_the_hub_s_own_counts_size_the_model() -> None:
    """Parameters by dtype, over all files together."""
    report = judged({**BERT, "model.safetensors": b"x" * 4000}, parameters={"F32": 700, "BF16": 300})

    assert any("1,000 parameters (BF16, F32)" in check.message for check in report.checks)


def test_an_archive_and_a_model_of_the_hub_are_refused_together() -> None:
    """Which should run is not said."""
    world = fake_world()
    world.hub.add("acme/cat", BERT)
    world.drop(CAT, good_archive(), toml=HUB)
    world.clock.advance(3)
    app = app_over(world)

    app.looker.look(CAT)

    assert errors_of(app.looker.desired(CAT).report) == {"hub-model-and-archive"}


def test_a_toml_without_its_archive_ends_what_the_archive_ran_and_keeps_saying_why() -> None:
    """Deleting the archive deletes the model, whether or not deploy.toml is left behind; and nothing flaps."""
    world = fake_world()
    world.drop(CAT, good_archive(), toml=b'idle_after = "1h"\n')
    world.clock.advance(3)
    app = app_over(world)
    app.looker.look(CAT)
    settle(world, app)
    world.bucket.objects.pop("models/cat/model.tar.gz")

    for _ in range(4):
        app.looker.look(CAT)
        settle(world, app)

    assert (world.endpoints.endpoints, world.endpoints.configs, world.endpoints.models) == ({}, {}, {})
    assert app.views.model(CAT)["state"] == "refused"
    assert app.looker.look(CAT).done == ()
    world.drop(CAT, good_archive("two"))
    world.clock.advance(2)
    app.looker.look(CAT)
    assert world.endpoints.status(NAME) == "Creating"


def test_a_bad_redrop_never_takes_a_model_of_the_hub_away() -> None:
    """Neither one that names nothing, nor one that is no TOML, nor one that the Hub does not know."""
    world, app = awake_from_hub()
    config = world.endpoints.endpoints[NAME].config_name

    for toml in (b'idle_after = "1h"', b"hub_model = acme", b'hub_model = "acme/none"'):
        put(world, toml)
        app.looker.look(CAT)
        app.sweeper.sweep()

        assert world.endpoints.endpoints[NAME].config_name == config
        assert world.endpoints.status(NAME) == "InService"


def test_a_model_of_the_hub_is_removed_whole() -> None:
    """Endpoint, records, pin and report."""
    world, app = awake_from_hub()

    app.commands.remove(CAT)
    for _ in range(3):
        app.looker.look(CAT)
        settle(world, app)

    assert world.bucket.keys() == []
    assert world.endpoints.models == {}


def test_a_rollback_goes_back_to_the_commit_before() -> None:
    """The pin is enough: nothing is asked of the Hub."""
    world, app = awake_from_hub()
    first = app.looker.desired(CAT).target.release
    world.hub.add("acme/cat", BERT)
    put(world, HUB + b"# newer\n")
    app.looker.look(CAT)
    settle(world, app)
    world.hub.error = HubUnavailable("away")

    app.commands.roll_back(CAT)
    world.clock.advance(2)
    app.looker.look(CAT)
    settle(world, app)

    assert world.endpoints.endpoints[NAME].config_name == f"{NAME}-{first[:8]}"


def test_only_one_set_of_weights_is_served() -> None:
    """Repositories keep the same weights for every framework and precision."""
    paths = {
        "config.json", "tokenizer.json", "model.safetensors", "model.fp16.safetensors", "pytorch_model.bin",
        "tf_model.h5", "flax_model.msgpack", "rust_model.ot", "onnx/model.onnx", "original/consolidated.00.pth",
        "consolidated.safetensors", "../outside.json", "1_Pooling/config.json", "optimizer.pt",
    }  # fmt: skip

    assert served_paths(paths) == {"config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"}
    assert served_paths({"config.json", "pytorch_model.bin"}) == {"config.json", "pytorch_model.bin"}
    nested = {"modules.json", "config.json", "model.safetensors", "2_Dense/model.safetensors"}
    assert served_paths(nested) == nested


def test_only_containers_that_fetch_are_told_where_and_as_whom() -> None:
    """The token is in the call and in no report; an archive's container gets neither."""
    asked: list[dict[str, Any]] = []

    class Client:
        def create_model(self, **params: Any) -> None:
            asked.append(params)

    at = SageMakerEndpoints(Client, app="tarmac", role_arn="r", hub_environment={"HF_TOKEN": "hf_secret"})
    plan = judged(BERT).plan
    assert plan is not None
    named = {"model": CAT, "release": ReleaseId("0" * 12)}

    at.create_model("one", **named, plan=plan, archive_uri=None)
    at.create_model("two", **named, plan=replace(plan, hub_model=None, is_isolated=True), archive_uri="s3://b/k")

    first, second = (params["PrimaryContainer"] for params in asked)
    assert "ModelDataUrl" not in first
    assert (first["Environment"]["HF_TOKEN"], asked[0]["EnableNetworkIsolation"]) == ("hf_secret", False)
    assert "HF_TOKEN" not in second["Environment"]
    assert "hf_secret" not in judged(BERT).to_json()
