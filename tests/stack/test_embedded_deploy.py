"""`tarmac deploy` through the real command line, in a process of its own, against the embedded AWS; and bad inputs."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tarmac.local.clients import local_client
from tarmac.local.embedded import EmbeddedAws
from tarmac.stack.embedding import CANNOT_MAKE, WITH_A_SCHEDULE, fit
from tests.local.engines import echo_archive
from tests.stack.shells import Shell, error_of


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    embedded = EmbeddedAws(tmp_path_factory.mktemp("state"))
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="module")
def deployed(aws: EmbeddedAws) -> subprocess.CompletedProcess[str]:
    shell = Shell(aws.url)
    return shell.run("deploy", "--stage", "test", "--new-token", "--set", "DropsPrefix=team/drops/", "--json")


def received(sqs: Any, url: str, *, within_s: float = 5) -> list[str]:
    """The keys that the queue's messages speak of; waits for the first."""
    give_up_at, found = time.monotonic() + within_s, []
    while not found and time.monotonic() < give_up_at:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
        found += [json.loads(message["Body"])["detail"]["object"]["key"] for message in messages]
    return found


def test_a_stage_is_made_in_the_embedded_aws_by_the_same_command(deployed):
    shown = json.loads(deployed.stdout)

    assert deployed.returncode == 0, deployed.stderr
    assert (shown["status"], shown["is_closed"]) == ("CREATE_COMPLETE", False)
    assert shown["outputs"]["UploadUri"].endswith("/team/drops/<name>/model.tar.gz")


def test_a_drop_under_its_own_prefix_reaches_its_queue(deployed, aws):
    outputs = json.loads(deployed.stdout)["outputs"]
    s3, sqs = local_client("s3", aws.url), local_client("sqs", aws.url)
    s3.put_object(Bucket=outputs["BucketName"], Key="models/cat/model.tar.gz", Body=b"x")
    s3.put_object(Bucket=outputs["BucketName"], Key="team/drops/cat/model.tar.gz", Body=b"x")

    keys = received(sqs, outputs["LooksQueueUrl"])

    assert set(keys) == {"team/drops/cat/model.tar.gz"}
    s3.close()
    sqs.close()


def test_a_push_to_the_stage_lands_under_its_own_prefix(deployed, aws, tmp_path):
    outputs = json.loads(deployed.stdout)["outputs"]
    archive = echo_archive(tmp_path)

    pushed = Shell(aws.url).run("push", str(archive), "--name", "dog", "--stage", "test", "--json")

    s3 = local_client("s3", aws.url)
    found = s3.get_object(Bucket=outputs["BucketName"], Key="team/drops/dog/model.tar.gz")["Body"].read()
    s3.close()
    assert pushed.returncode == 0, pushed.stderr
    assert found == archive.read_bytes()


@pytest.mark.parametrize(
    ("command", "message", "fix"),
    [
        (
            "ls",
            "the stack of stage test has no HTTP API",
            "in the embedded AWS it is tarmac up that serves the application; leave --stage away there",
        ),
        (
            "deploy",
            "the embedded AWS cannot update the stack tarmac-test",
            "tarmac destroy --stage test --yes, then deploy again",
        ),
    ],
)
def test_what_cannot_be_done_with_it_is_said_in_one_line(deployed, aws, command, message, fix):
    ran = Shell(aws.url).run(command, "--stage", "test")

    assert ran.returncode == 1
    assert error_of(ran) == [f"error: {message}", f"  fix: {fix}"]


def test_what_is_left_out_is_told_in_one_line_and_destroy_takes_the_rest_down(aws):
    shell = Shell(aws.url)

    ran, gone = shell.run("deploy", "--stage", "other"), shell.run("destroy", "--stage", "other", "--yes")

    (told,) = [line for line in ran.stderr.splitlines() if "the embedded AWS cannot make" in line]
    assert "AWS::ApiGateway::RestApi" in told
    assert "tarmac up serves the application" in ran.stdout
    assert (ran.returncode, gone.returncode) == (0, 0), ran.stderr + gone.stderr


def test_every_kind_that_is_left_out_is_in_the_table_and_the_table_has_no_other(packaged):
    template = packaged.cloudformation()

    left_out = set(fit(template).left_out)

    assert left_out == ({*CANNOT_MAKE, WITH_A_SCHEDULE})
    assert {raw["Type"] for raw in template["Resources"].values()} >= set(CANNOT_MAKE)


@pytest.mark.parametrize(
    ("changes", "arguments", "fact", "fix"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, (), "there are no AWS credentials here", "sign in"),
        ({"AWS_PROFILE": "nobody"}, (), "nobody", "aws configure list-profiles"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, (), "no region is set", "AWS_REGION"),
        ({}, ("--region", "mars-north-1"), "AWS has no region 'mars-north-1'", "eu-west-1"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, (), "AWS cannot be reached", "check the network"),
        ({}, ("--set", "Colour=red"), "the template has no parameter 'Colour'", "it has: "),
    ],
)
def test_each_bad_input_is_one_line_and_the_next_step(aws, changes, arguments, fact, fix):
    ran = Shell(aws.url).run("deploy", "--stage", "bad", *arguments, **changes)

    said = error_of(ran)
    assert ran.returncode == 1
    assert fact in said[0]
    assert said[1].startswith("  fix: ")
    assert fix in said[1]
    assert len(said) == 2
