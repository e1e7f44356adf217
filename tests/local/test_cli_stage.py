"""The commands on a deployed stage: its stack says where it is, and from there on they are what they are elsewhere.

No account is at hand. CloudFormation and STS are a script's, on an address that Tarmac does not take for the embedded
AWS; S3, the logs, Lambda and the HTTP API are a running engine's: what is pushed is really judged, deployed and asked.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tarmac.local.clients import LOCAL_SWEEP_FUNCTION
from tarmac.local.state_dir import EngineRecord, StateDir
from tests.local.engines import Ran, echo_archive, engine_at
from tests.stack.scripted_aws import NOT_THERE, Refusal, Script, scripted_aws, stack
from tests.stack.shells import Shell


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of a running engine."""
    with engine_at(tmp_path_factory.mktemp("stage") / "state") as path:
        yield path


@pytest.fixture(scope="module")
def record(state: Path) -> EngineRecord:
    found = StateDir(state).read_engine()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def stage(record: EngineRecord) -> Iterator[tuple[str, Script]]:
    """Where CloudFormation says that the stage `test` is that engine; and what it has been asked."""
    outputs = {"BucketName": record.bucket, "EndpointURL": f"{record.url}/", "SweepFunction": LOCAL_SWEEP_FUNCTION}
    described = stack("UPDATE_COMPLETE", outputs=outputs, parameters={"AppName": "tarmac", "DropsPrefix": "models/"})
    with scripted_aws(DescribeStacks=[described]) as (url, script):
        yield url, script


@pytest.fixture
def script(stage: tuple[str, Script]) -> Iterator[Script]:
    """The script, put back afterwards."""
    before = dict(stage[1].answers)
    yield stage[1]
    stage[1].say(**before)


@pytest.fixture(scope="module")
def shell(stage: tuple[str, Script], record: EngineRecord, state: Path) -> "OnStage":
    return OnStage(stage[0], record.aws_endpoint_url, StateDir(state).read_token() or "")


class OnStage:
    """A shell signed in to an account, away from any state directory."""

    def __init__(self, scripted_url: str, engine_url: str, token: str) -> None:
        self._shell, self._token = Shell(scripted_url), token
        self._services = {f"AWS_ENDPOINT_URL_{service}": engine_url for service in ("S3", "LAMBDA", "CLOUDWATCH_LOGS")}

    def run(self, *arguments: str, **changes: str) -> Ran:
        named = {**self._services, "TARMAC_TOKEN": self._token, "TARMAC_STATE": "/nonexistent", **changes}
        ran = self._shell.run(*arguments, "--stage", "test", **named)
        assert "Traceback" not in ran.stderr
        return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_a_model_is_pushed_to_a_stage_asked_there_and_deleted(shell: OnStage, tmp_path: Path) -> None:
    archive = echo_archive(tmp_path)

    pushed = shell.run("push", str(archive), "--name", "staged", "--wait", "--json")
    listed = shell.run("ls", "--json")
    asked = shell.run("invoke", "staged", "hello")
    logs = shell.run("logs", "staged")
    swept = shell.run("sweep")
    gone = shell.run("rm", "staged", "--yes", "--wait")

    assert pushed.raw["state"] == "ready", pushed.err
    assert [row["model"] for row in listed.raw["models"]] == ["staged"]
    assert (asked.code, "hello" in asked.out) == (0, True), asked.err
    assert logs.code == 0, logs.err
    assert "looked at 1" in swept.out, swept.err
    assert gone.code == 0, gone.err


def test_without_its_token_the_fix_names_the_command_that_makes_one(shell: OnStage) -> None:
    ran = shell.run("ls", TARMAC_TOKEN="")

    assert ran.code == 1
    assert "TARMAC_TOKEN is not set" in ran.err
    assert "tarmac deploy --stage test --new-token" in ran.err


def test_a_wrong_token_is_not_looked_for_in_a_state_directory(shell: OnStage) -> None:
    ran = shell.run("ls", TARMAC_TOKEN="wrong")

    assert ran.code == 1
    assert "tarmac deploy --stage test --new-token" in ran.err
    assert "tarmac env" not in ran.err


@pytest.mark.parametrize(
    ("answer", "message", "fix"),
    [
        (NOT_THERE, "there is no stack tarmac-test in us-east-1", "tarmac deploy --stage test"),
        (Refusal("ExpiredToken", "expired", 403), "expired", ""),
        (stack("CREATE_IN_PROGRESS"), "CREATE_IN_PROGRESS, and has no bucket yet", "tarmac deploy --stage test"),
    ],
)
def test_a_stage_that_cannot_be_used_says_why(
    shell: OnStage, script: Script, answer: object, message: str, fix: str
) -> None:
    script.say(DescribeStacks=[answer])

    ran = shell.run("ls")

    assert ran.code == 1
    assert message in ran.err
    assert fix in ran.err


def test_the_region_is_that_of_the_other_sdks_variable(shell: OnStage, script: Script) -> None:
    script.say(DescribeStacks=[NOT_THERE])

    ran = shell.run("ls", AWS_REGION="eu-west-3", AWS_DEFAULT_REGION="us-west-2")
    without = shell.run("ls", AWS_REGION="", AWS_DEFAULT_REGION="")

    assert "tarmac-test in eu-west-3" in ran.err
    assert "no region is set" in without.err
    assert "export AWS_REGION" in without.err


def test_an_api_that_does_not_answer_is_no_engine_to_start(shell: OnStage, script: Script) -> None:
    outputs = {"BucketName": "b", "EndpointURL": "http://127.0.0.1:9/api/", "SweepFunction": "s"}
    script.say(DescribeStacks=[stack("UPDATE_COMPLETE", outputs=outputs)])

    ran = shell.run("ls")

    assert ran.code == 1
    assert "the stage's API does not answer" in ran.err
    assert "tarmac doctor --stage test" in ran.err
    assert "tarmac up" not in ran.err


def test_a_name_that_no_stage_can_have_is_refused(stage: tuple[str, Script]) -> None:
    ran = Shell(stage[0]).run("ls", "--stage", "No Such")

    assert ran.returncode == 1
    assert "cannot be a stage" in ran.stderr
