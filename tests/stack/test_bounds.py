"""What a stage's own settings hold the application to: how many endpoints, in which network, on which instances."""

import boto3
from botocore.stub import ANY, Stubber

from chalicelib.aws.endpoints import SageMakerEndpoints
from chalicelib.bootstrap import build
from chalicelib.door.catalogue import catalogue
from chalicelib.names import ModelName, ReleaseId
from chalicelib.reports import ServingPlan
from tests.fakes import fake_world, good_archive, settings

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model/tarmac-cat-01234567"
PLAN = ServingPlan(
    container="huggingface",
    image_uri="image",
    task=None,
    mode="realtime",
    instance_type="ml.m5.large",
    instance_count=1,
    idle_after_s=900,
)


def test_no_more_endpoints_than_the_stage_may_have():
    world = fake_world()
    app = build(settings(endpoints_max=1), world)
    for name in ("cat", "dog"):
        world.drop(name, good_archive())
        app.looker.look(ModelName(name))

    assert world.endpoints.status("tarmac-cat") is not None
    assert world.endpoints.status("tarmac-dog") is None
    assert "1 endpoints are there" in app.views.model("dog")["why"]


def test_there_is_room_again_when_one_has_gone():
    world = fake_world()
    app = build(settings(endpoints_max=1), world)
    for name in ("cat", "dog"):
        world.drop(name, good_archive())
        app.looker.look(ModelName(name))
    world.clock.advance(20)
    world.endpoints.settle()
    world.undrop("cat")
    app.looker.look(ModelName("cat"))
    world.endpoints.settle()
    world.clock.advance(400)

    app.looker.look(ModelName("dog"))

    assert world.endpoints.status("tarmac-dog") is not None


def test_an_instance_type_that_the_stage_does_not_start_is_told_and_nothing_is_started():
    world = fake_world()
    app = build(settings(instance_types=frozenset({"ml.t2.medium"})), world)
    world.drop("cat", good_archive(), toml=b'instance_type = "ml.m5.large"\n')

    app.looker.look(ModelName("cat"))

    shown = app.views.model("cat")
    assert (shown["state"], world.endpoints.status("tarmac-cat")) == ("refused", None)
    assert shown["why"] == "ml.m5.large is not among the instance types that this stage may start"


def test_nor_is_one_that_was_planned_before_the_stage_changed_its_mind():
    world = fake_world()
    world.drop("cat", good_archive(), toml=b'instance_type = "ml.m5.large"\n')
    build(settings(), world).looker.look(ModelName("cat"))
    world.endpoints.settle()
    world.endpoints.delete("tarmac-cat")
    world.endpoints.settle()
    for name in world.endpoints.list_configs(ModelName("cat")):
        world.endpoints.delete_config(name)
    app = build(settings(instance_types=frozenset({"ml.t2.medium"})), world)

    app.looker.look(ModelName("cat"))

    shown = app.views.model("cat")
    assert (shown["state"], world.endpoints.status("tarmac-cat")) == ("failed", None)
    assert shown["why"] == "ml.m5.large is not among the instance types that this stage may start"


def test_a_refused_re_drop_leaves_the_release_that_runs():
    world = fake_world()
    app = build(settings(instance_types=frozenset({"ml.m5.large"})), world)
    world.drop("cat", good_archive(), toml=b'instance_type = "ml.m5.large"\n')
    app.looker.look(ModelName("cat"))
    world.clock.advance(20)
    world.endpoints.settle()
    world.drop("cat", good_archive("two"), toml=b'instance_type = "ml.m5.xlarge"\n')

    app.looker.look(ModelName("cat"))

    assert app.views.model("cat")["state"] == "ready"
    assert "ml.m5.xlarge is not among" in app.views.model("cat")["why"]


def created_model(**network: tuple[str, ...]) -> None:
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    expected = {
        "ModelName": "tarmac-cat-01234567",
        "PrimaryContainer": ANY,
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/model",
        "EnableNetworkIsolation": True,
        "Tags": ANY,
    }
    if network:
        expected["VpcConfig"] = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    with Stubber(client) as stub:
        stub.add_response("create_model", {"ModelArn": ARN}, expected)
        adapter = SageMakerEndpoints(
            lambda: client, app="tarmac", role_arn="arn:aws:iam::123456789012:role/model", **network
        )
        adapter.create_model(
            "tarmac-cat-01234567",
            model=ModelName("cat"),
            release=ReleaseId("0123456789ab"),
            plan=PLAN,
            archive_uri="s3://bucket/releases/cat/0123456789ab/model.tar.gz",
        )
        stub.assert_no_pending_responses()
    client.close()


def test_models_join_the_subnets_that_are_named():
    created_model(subnets=("subnet-1",), security_groups=("sg-1",))


def test_and_no_network_where_none_is():
    created_model()


def test_every_instance_type_that_tarmac_chooses_by_itself_may_be_started(packaged):
    allowed = set(packaged.cloudformation()["Parameters"]["InstanceTypes"]["Default"].split(","))

    known = [each for each in catalogue().instances.values() if each.prices and each.is_steady and not each.gpu_count]
    families = {each.family for each in known} - {"c7i"}  # one size of it has a known price
    assert families == {"c5", "m5", "r5"}
    assert {each.type for each in known if each.family in families} <= allowed
