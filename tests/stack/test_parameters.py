"""What a stage's parameters change: the drops' prefix, the trust, the key of the instances' storage."""

import re

import boto3
import pytest
from botocore.stub import ANY, Stubber

from chalicelib.aws.endpoints import WITH_OWN_DISKS, SageMakerEndpoints
from chalicelib.bootstrap import build
from chalicelib.door.catalogue import catalogue
from chalicelib.door.schema import TRUST_LEVELS
from chalicelib.names import ModelName, ReleaseId, drops_prefix_problem
from chalicelib.reports import ServingPlan
from tests.fakes import fake_world, good_archive, settings
from tests.stack.judging import ATTRIBUTES, KEY_ARN, ROLES, resolver, resource
from tests.stack.policies import Need, allowing, statements

PREFIX = "team/drops/"


# The prefix.


def test_rule_lifecycle_and_upload_uri_follow_the_prefix(packaged):
    template = packaged.cloudformation()

    pattern = resource(packaged, "DropRule", "EventPattern", DropsPrefix=PREFIX)
    rules = resource(packaged, "DropBucket", "LifecycleConfiguration", "Rules", DropsPrefix=PREFIX)
    uri = resolver(template, DropsPrefix=PREFIX).resolve(template["Outputs"]["UploadUri"]["Value"])

    keys = pattern["detail"]["object"]["key"]
    assert {f"{PREFIX}*.tar.gz", f"{PREFIX}*/deploy.toml"} <= {key["wildcard"] for key in keys}
    assert all(key["wildcard"].startswith(PREFIX) for key in keys)
    assert next(rule for rule in rules if rule["Id"] == "overwritten-drops")["Prefix"] == PREFIX
    assert uri == f"s3://b/{PREFIX}<name>/model.tar.gz"


@pytest.mark.parametrize("function", ROLES)
def test_every_function_may_read_drops_under_the_prefix_and_nowhere_else(packaged, function):
    (inline,) = resource(packaged, ROLES[function], DropsPrefix=PREFIX)["Policies"]
    policy = statements(inline["PolicyDocument"])
    bucket = ATTRIBUTES["DropBucket.Arn"]

    def may(prefix):
        read = Need("s3:GetObject", f"{bucket}/{prefix}cat/model.tar.gz")
        listing = Need("s3:ListBucket", bucket, {"s3:prefix": prefix})
        return allowing(policy, read) is not None, allowing(policy, listing) is not None

    assert may(PREFIX) == (True, True)
    assert may("models/") == (False, False)


def test_the_template_takes_exactly_the_prefixes_that_the_application_takes(packaged):
    raw = packaged.cloudformation()["Parameters"]["DropsPrefix"]
    tried = [
        "models/", "a/b/", "releases-of/x/", "models", "/", "", "/models/", "../x/", "a b/", "a*/", "a//b/",
        "releases/", "releases/x/", "usage/", "asleep/", "requests/", "training/", "trainings/", "x" * 63 + "/",
        "x" * 64 + "/",
    ]  # fmt: skip

    taken = [one for one in tried if re.fullmatch(raw["AllowedPattern"], one) and len(one) <= raw["MaxLength"]]

    assert taken == [one for one in tried if drops_prefix_problem(one) is None]
    assert raw["Default"] == "models/"


def test_a_drop_under_another_prefix_lives_its_whole_life_there():
    world = fake_world(drops_prefix=PREFIX)
    app = build(settings(drops_prefix=PREFIX), world)
    world.bucket.put("models/dog/model.tar.gz", good_archive())
    world.bucket.put(f"{PREFIX}cat/model.tar.gz", good_archive())

    app.sweeper.sweep()
    world.clock.advance(20)
    world.endpoints.settle()
    app.looker.look(ModelName("cat"))

    assert [row["model"] for row in app.views.models()] == ["cat"]
    assert app.views.model("cat")["state"] == "ready"
    app.commands.remove("cat")
    assert world.bucket.keys(PREFIX) == []
    assert world.bucket.keys("models/") == ["models/dog/model.tar.gz"]


def test_whoever_drops_or_asks_wrongly_is_told_the_stage_s_own_prefix():
    world = fake_world(drops_prefix=PREFIX)
    app = build(settings(drops_prefix=PREFIX), world)
    world.bucket.put(f"{PREFIX}My Cat/model.tar.gz", good_archive())
    app.looker.look(ModelName("My Cat"))

    (check,) = app.views.model("My Cat")["report"]["checks"]
    with pytest.raises(Exception, match="there is no model 'dog'") as caught:
        app.proxy.invoke("dog", b"", content_type="text/plain", accept="*/*")

    assert f"`{PREFIX}my-cat/model.tar.gz`" in check["fix"]
    assert f"{PREFIX}<name>/model.tar.gz" in (caught.value.fix or "")


# Trust.


def test_the_template_knows_the_levels_of_trust_and_gives_them_to_the_functions(packaged):
    raw = packaged.cloudformation()["Parameters"]["Trust"]

    assert (tuple(raw["AllowedValues"]), raw["Default"]) == (TRUST_LEVELS, "trusted")
    variables = resource(packaged, "Look", "Environment", "Variables", Trust="strict")
    assert variables["TARMAC_TRUST"] == "strict"


def test_the_hub_s_address_and_token_reach_the_functions_and_the_token_is_no_echo(packaged):
    raw = packaged.cloudformation()["Parameters"]["HubToken"]

    variables = resource(packaged, "Look", "Environment", "Variables", HubUrl="https://hub.example", HubToken="hf_x")

    assert raw["NoEcho"] is True
    assert (variables["HF_ENDPOINT"], variables["HF_TOKEN"]) == ("https://hub.example", "hf_x")


def test_asking_for_more_trust_than_the_stage_gives_is_refused_with_its_level_and_the_fix():
    world = fake_world()
    app = build(settings(trust="scan"), world)
    world.drop("cat", good_archive(), toml=b'trust = "trusted"\n')

    app.looker.look(ModelName("cat"))

    shown = app.views.model("cat")
    (check,) = [one for one in shown["report"]["checks"] if one["severity"] == "error"]
    assert (shown["state"], check["id"]) == ("refused", "trust-above-stage")
    assert check["message"] == "line 1: trust is 'trusted', and this stage gives no more than 'scan'"
    assert 'Write trust = "scan" or leave it out' in check["fix"]
    assert world.endpoints.status("tarmac-cat") is None


def test_on_a_strict_stage_a_drop_that_asks_for_nothing_is_held_to_strict_and_not_told_to_ask_for_more():
    world = fake_world()
    app = build(settings(trust="strict"), world)
    world.drop("cat", good_archive())

    app.looker.look(ModelName("cat"))

    checks = [one for one in app.views.model("cat")["report"]["checks"] if one["severity"] == "error"]
    assert {one["id"] for one in checks} == {"trust-strict"}
    assert all("takes `strict` drops only" in one["fix"] for one in checks)


# The key.


def created_config(instance_type, key_arn):
    """The parameters with which a configuration is created."""
    plan = ServingPlan("huggingface", "image", None, "realtime", instance_type, 1, 900)
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    expected = {"EndpointConfigName": "tarmac-cat-01234567", "ProductionVariants": ANY, "Tags": ANY}
    if key_arn is not None:
        expected["KmsKeyId"] = key_arn
    with Stubber(client) as stub:
        arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/tarmac-cat-01234567"
        stub.add_response("create_endpoint_config", {"EndpointConfigArn": arn}, expected)
        adapter = SageMakerEndpoints(lambda: client, app="tarmac", role_arn="r", volume_kms_key_arn=KEY_ARN)
        adapter.create_config(
            "tarmac-cat-01234567", model=ModelName("cat"), release=ReleaseId("0123456789ab"), plan=plan
        )
        stub.assert_no_pending_responses()
    client.close()


def test_the_key_encrypts_the_storage_of_the_instances():
    created_config("ml.m5.large", KEY_ARN)


@pytest.mark.parametrize("instance_type", ["ml.g5.xlarge", "ml.g4dn.xlarge", "ml.m5d.large", "ml.p4d.24xlarge"])
def test_but_not_where_the_disks_have_keys_of_their_own_and_sagemaker_would_refuse_it(instance_type):
    created_config(instance_type, None)


def test_every_gpu_that_is_planned_with_counts_as_one_with_its_own_disks():
    families = {one.family for one in catalogue().instances.values() if one.gpu_count and one.prices}

    assert families <= WITH_OWN_DISKS


@pytest.mark.parametrize(("function", "lends"), [("api", False), ("look", True), ("sweep", True)])
def test_only_who_creates_endpoints_may_lend_the_key_and_only_to_aws(packaged, function, lends):
    (inline,) = resource(packaged, ROLES[function])["Policies"]
    policy = statements(inline["PolicyDocument"])

    assert (
        allowing(policy, Need("kms:CreateGrant", KEY_ARN, {"kms:GrantIsForAWSResource": "true"})) is not None
    ) == lends
    assert allowing(policy, Need("kms:CreateGrant", KEY_ARN, {"kms:GrantIsForAWSResource": "false"})) is None


def test_without_a_key_nobody_may_lend_one_and_the_functions_are_told_of_none(packaged):
    (inline,) = resource(packaged, ROLES["look"], KmsKeyArn="")["Policies"]

    assert not [one for one in statements(inline["PolicyDocument"]) if any("kms:" in action for action in one.actions)]
    assert resource(packaged, "Look", "Environment", "Variables", KmsKeyArn="")["TARMAC_VOLUME_KMS_KEY"] == ""
