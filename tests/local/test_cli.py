"""The command line as a process: its exit codes, its JSON, and what it says when something is wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tarmac.demo_engine import ROOT, EngineProcess
from tarmac.local.state_dir import EngineRecord, StateDir
from tests.local.engines import Ran, echo_archive, engine_at, tarmac, until


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of a running engine."""
    with engine_at(tmp_path_factory.mktemp("cli") / "state") as path:
        yield path


@pytest.fixture(scope="module")
def echo(state: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a model that is awake."""
    archive = echo_archive(tmp_path_factory.mktemp("echo"))
    pushed = tarmac("push", str(archive), "--name", "echo", "--wait", "--json", "--state", str(state))
    assert pushed.code == 0, pushed.err
    assert pushed.raw["state"] == "ready"
    return "echo"


def at(state: Path, *arguments: str, stdin: bytes = b"") -> Ran:
    return tarmac(*arguments, "--state", str(state), stdin=stdin)


def refused_with_a_fix(ran: Ran, *words: str) -> None:
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "error: " in ran.err
    for word in words:
        assert word in ran.err


# Without an engine.


def test_without_an_engine_every_online_command_says_how_to_start_one(tmp_path: Path) -> None:
    for arguments in (["ls"], ["status", "x"], ["invoke", "x", "y"], ["logs", "x"], ["env"], ["sweep"]):
        ran = at(tmp_path, *arguments)

        refused_with_a_fix(ran, "no engine runs", "fix: ", "tarmac up")


def test_an_engine_that_was_killed_is_not_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    state = StateDir(tmp_path)
    state.ensure_token()
    url = f"http://127.0.0.1:{port}"
    state.write_engine(EngineRecord(url, url, "b", "us-east-1", str(state.token_path), str(tmp_path), 1))

    refused_with_a_fix(at(tmp_path, "ls"), "does not answer", "tarmac up")


def test_what_is_not_tarmac_is_told_from_tarmac(state: Path) -> None:
    record = StateDir(state).read_engine()
    assert record is not None

    ran = tarmac("ls", env={"TARMAC_URL": record.aws_endpoint_url, "TARMAC_TOKEN": "x"})

    refused_with_a_fix(ran, "is not Tarmac", "fix: ")


def test_no_command_ever_goes_to_an_aws_that_is_not_this_machine(tmp_path: Path) -> None:
    remote = {"TARMAC_URL": "http://127.0.0.1:1", "TARMAC_TOKEN": "x", "AWS_ENDPOINT_URL": "https://192.0.2.1"}

    refused_with_a_fix(tarmac("logs", "x", env=remote), "not this machine")


def test_usage_errors_exit_2() -> None:
    for arguments in (["nonsense"], ["push"], ["up", "--port", "x"], ["up", "--idle-after", "soon"]):
        ran = tarmac(*arguments)

        assert ran.code == 2
        assert "Usage" in ran.err


def test_help_lists_every_command() -> None:
    ran = tarmac("--help")

    assert ran.code == 0
    for command in (
        "up", "demo", "env", "token", "check", "pack", "push", "ls", "status", "invoke", "logs", "plan", "sweep",
        "sleep", "wake", "rollback", "rm", "doctor",
    ):  # fmt: skip
        assert f"  {command} " in ran.out


# Archives.


def test_a_good_archive_is_accepted_with_its_plan(tmp_path: Path) -> None:
    archive = echo_archive(tmp_path)

    ran = tarmac("check", str(archive), "--json")

    assert ran.code == 0
    assert ran.raw["verdict"] == "accepted"
    assert ran.raw["plan"]["why"]
    assert "accepted" in tarmac("check", str(archive)).out


def test_a_bad_archive_is_refused_with_fixes(tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"not a gzip")

    for_people, for_programs = tarmac("check", str(archive)), tarmac("check", str(archive), "--json")

    assert (for_people.code, for_programs.code) == (1, 1)
    assert "refused" in for_people.out
    assert "fix: " in for_people.out
    assert for_programs.raw["verdict"] == "refused"


def test_a_bad_deploy_toml_refuses_a_good_archive(tmp_path: Path) -> None:
    toml = tmp_path / "deploy.toml"
    toml.write_text('instnce_type = "ml.m5.large"\n')

    ran = tarmac("check", str(echo_archive(tmp_path)), "--toml", str(toml))

    assert ran.code == 1
    assert "instnce_type" in ran.out


def test_bad_paths_are_named(tmp_path: Path) -> None:
    refused_with_a_fix(tarmac("check", str(tmp_path / "nothing")), "there is no file")
    refused_with_a_fix(tarmac("pack", str(tmp_path / "nothing")), "there is no file")


def test_pack_makes_an_archive_that_check_accepts(tmp_path: Path) -> None:
    echo_archive(tmp_path / "model")
    (tmp_path / "model" / "model.tar.gz").unlink()

    packed = tarmac("pack", str(tmp_path / "model"), "-o", str(tmp_path / "out.tar.gz"), "--json")

    assert packed.code == 0, packed.err
    assert packed.raw["archive"] == str(tmp_path / "out.tar.gz")
    with tarfile.open(tmp_path / "out.tar.gz") as tar:
        assert "code/inference.py" in [name.removeprefix("./") for name in tar.getnames()]
    assert tarmac("check", str(tmp_path / "out.tar.gz")).code == 0


def test_a_directory_is_judged_as_what_it_will_be_packed_to(tmp_path: Path) -> None:
    echo_archive(tmp_path / "model")
    (tmp_path / "model" / "model.tar.gz").unlink()
    tarmac("pack", str(tmp_path / "model"), "-o", str(tmp_path / "out.tar.gz"))

    as_directory = tarmac("check", str(tmp_path / "model"), "--json")

    as_archive = tarmac("check", str(tmp_path / "out.tar.gz"), "--json")
    assert as_directory.code == 0, as_directory.err
    assert as_directory.raw["plan"] == as_archive.raw["plan"]
    assert as_directory.raw["checks"] == as_archive.raw["checks"]


def test_a_directory_of_large_weights_is_no_bomb(tmp_path: Path) -> None:
    # The check leaves the weights out, and is not to hold that against them. Here they are a hole on the disk, too.
    size_bytes = 20 << 30
    directory = tmp_path / "model"
    directory.mkdir()
    header = json.dumps({"w": {"dtype": "BF16", "shape": [size_bytes // 2], "data_offsets": [0, size_bytes]}}).encode()
    with (directory / "model.safetensors").open("wb") as weights:
        weights.write(len(header).to_bytes(8, "little") + header)
        weights.truncate(weights.tell() + size_bytes)
    (directory / "config.json").write_text('{"architectures": ["BertForSequenceClassification"], "model_type": "bert"}')
    (directory / "tokenizer.json").write_text("{}")

    checked = tarmac("check", str(directory), "--json")

    assert checked.code == 0, checked.err
    assert checked.raw["plan"]["container"] == "huggingface"


def test_a_bad_name_is_told_before_an_engine_is_looked_for(tmp_path: Path) -> None:
    archive = echo_archive(tmp_path / "model")

    ran = tarmac("push", str(archive), "--name", "Bad_Name", "--state", str(tmp_path / "none"))

    refused_with_a_fix(ran, "'Bad_Name'", "call it bad-name")


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    ran = tarmac("check", str(tmp_path / "empty"))

    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err


def test_push_refuses_here_what_the_door_would_refuse(state: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"not a gzip")

    refused_with_a_fix(at(state, "push", str(archive), "--name", "bad"), "was refused", "fix: ")
    assert at(state, "status", "bad").code == 1


def test_push_without_the_check_is_refused_by_the_door_itself(state: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"not a gzip")

    ran = at(state, "push", str(archive), "--name", "refused", "--no-check", "--wait")
    shown = at(state, "status", "refused")

    refused_with_a_fix(ran, "was refused", "fix: ")
    assert "refused" in shown.out
    assert "fix: " in shown.out
    assert at(state, "rm", "refused", "--yes", "--wait").code == 0


def test_push_refuses_a_bad_name_and_suggests_a_good_one(state: Path, tmp_path: Path) -> None:
    ran = at(state, "push", str(echo_archive(tmp_path)), "--name", "My_Model")

    refused_with_a_fix(ran, "My_Model", "my-model")


def test_a_pushed_directory_is_packed_and_a_repeated_push_changes_nothing(state: Path, tmp_path: Path) -> None:
    echo_archive(tmp_path / "model")
    (tmp_path / "model" / "model.tar.gz").unlink()

    first = at(state, "push", str(tmp_path / "model"), "--name", "folder", "--wait", "--json")
    second = at(state, "push", str(tmp_path / "model"), "--name", "folder", "--wait", "--json")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert second.raw["state"] == "ready"
    assert at(state, "rm", "folder", "--yes", "--wait", "--json").raw["state"] == "deleted"
    assert at(state, "status", "folder", "--json").problem["code"] == "model_not_found"


# A model that is awake.


def test_env_and_token_open_the_engine(state: Path, echo: str) -> None:
    script = (
        f'eval "$({sys.executable} -m tarmac.cli.main env --state {state})" && {sys.executable} -m tarmac.cli.main ls'
    )

    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert echo in done.stdout
    assert at(state, "token").out.strip() == (state / "token").read_text().strip()
    assert at(state, "env", "--json").raw["TARMAC_TOKEN"] == (state / "token").read_text().strip()


def test_a_wrong_token_is_said_to_be_wrong(state: Path) -> None:
    record = StateDir(state).read_engine()
    assert record is not None

    ran = tarmac("ls", env={"TARMAC_URL": record.url, "TARMAC_TOKEN": "wrong"})

    refused_with_a_fix(ran, "token", "tarmac env")


def test_ls_and_status_show_the_model(state: Path, echo: str) -> None:
    listed, shown = at(state, "ls", "--json"), at(state, "status", echo, "--json")

    assert echo in [row["model"] for row in listed.raw["models"]]
    assert (shown.raw["state"], shown.raw["endpoint"]["status"]) == ("ready", "InService")
    assert "ready" in at(state, "ls").out
    assert "tarmac-echo InService" in at(state, "status", echo).out


def test_an_unknown_model_is_said_to_be_unknown(state: Path) -> None:
    for arguments in (["status", "nobody"], ["invoke", "nobody", "x"], ["logs", "nobody"], ["sleep", "nobody"]):
        refused_with_a_fix(at(state, *arguments), "nobody", "fix: ")
    assert at(state, "rm", "no/../body%", "--yes", "--json").problem["code"] == "model_not_found"


def test_text_is_sent_as_inputs_and_json_as_it_is(state: Path, echo: str) -> None:
    assert at(state, "invoke", echo, "hello there", "--json").raw["answer"] == {"echo": "hello there"}
    assert at(state, "invoke", echo, '{"inputs": ["a"]}', "--json").raw["answer"] == {"echo": ["a"]}
    assert json.loads(at(state, "invoke", echo, "-", stdin=b'{"inputs": 1}').out) == {"echo": 1}


def test_a_file_goes_and_comes_back_byte_for_byte(state: Path, echo: str, tmp_path: Path) -> None:
    blob = tmp_path / "blob.bin"
    blob.write_bytes(bytes(range(256)) * 100)

    done = subprocess.run(
        [sys.executable, "-m", "tarmac.cli.main", "invoke", echo, f"@{blob}", "--raw", "--state", str(state)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )

    assert done.stdout == blob.read_bytes()
    refused_with_a_fix(at(state, "invoke", echo, f"@{tmp_path}"), "is a directory")
    refused_with_a_fix(at(state, "invoke", echo, f"@{tmp_path}/nothing"), "no file")


def test_logs_show_what_the_server_wrote(state: Path, echo: str) -> None:
    ran = until(lambda: found if (found := at(state, "logs", echo)).code == 0 else None, timeout_s=10)

    assert ran.out.strip()
    rows = [json.loads(line) for line in at(state, "logs", echo, "--json").out.splitlines()]
    assert all({"at", "stream", "message"} == set(row) for row in rows)


def test_plan_and_sweep_report(state: Path, echo: str) -> None:
    planned = at(state, "plan", echo, "--json").raw
    assert planned["plans"] == {echo: []}
    assert planned["rankings"][echo][0]["why_not"] is None
    assert "nothing to do" in at(state, "plan").out
    assert echo in at(state, "sweep", "--json").raw["looked"]


def test_a_model_put_to_sleep_is_woken_by_a_question_and_by_hand(tmp_path: Path) -> None:
    # A use is written down at most every tenth of the TTL, and a sleep waits for two of those.
    engine = EngineProcess(tmp_path / "state", idle_after="10s", sweep_every="0.5s")
    state = tmp_path / "state"
    engine.start()
    try:
        archive = echo_archive(tmp_path / "echo")
        pushed = at(state, "push", str(archive), "--name", "echo", "--wait", "--json")
        slept = put_to_sleep(state)
        impatient = at(state, "invoke", "echo", "x", "--no-wait", "--json")
        answered = at(state, "invoke", "echo", "x", "--json")
        put_to_sleep(state)
        woken = at(state, "wake", "echo", "--wait", "--json")
    finally:
        engine.kill()

    assert pushed.raw["state"] == "ready"
    assert slept.raw == {"model": "echo", "state": "asleep"}
    assert (impatient.code, impatient.problem["code"]) == (1, "model_asleep")
    assert answered.raw["answer"] == {"echo": "x"}
    assert answered.raw["attempts"] >= 1
    assert woken.raw == {"model": "echo", "state": "ready"}


def put_to_sleep(state: Path) -> Ran:
    """Ask until it sleeps. S3 tells whole seconds only, and of a use and a wish in the same second the use wins."""
    time.sleep(1.1)
    return until(lambda: ran if (ran := at(state, "sleep", "echo", "--wait", "--json")).code == 0 else None)


def test_rm_asks_first(state: Path, echo: str) -> None:
    ran = at(state, "rm", echo, stdin=b"n\n")

    assert ran.code != 0
    assert at(state, "status", echo).code == 0


def test_doctor_is_content_with_a_healthy_engine_and_sees_what_is_not(state: Path, echo: str) -> None:
    engine_record = StateDir(state).read_engine()
    assert engine_record is not None
    from tarmac.local.clients import local_client

    s3 = local_client("s3", engine_record.aws_endpoint_url)
    s3.put_object(Bucket=engine_record.bucket, Key="models/lost/model.tgz", Body=b"x")
    (state / "token").chmod(0o644)
    try:
        ran = tarmac("doctor", "--json", "--state", str(state), env={"AWS_PROFILE": "work"})
    finally:
        (state / "token").chmod(0o600)
        s3.delete_object(Bucket=engine_record.bucket, Key="models/lost/model.tgz")

    by_name = {finding["name"]: finding for finding in ran.raw["findings"]}
    assert ran.code == 1
    assert (by_name["token"]["health"], by_name["engine"]["health"]) == ("error", "ok")
    assert "models/lost/model.tgz" in by_name["drops"]["message"]
    assert "AWS_PROFILE" in by_name["environment"]["message"]
    assert all(finding["fix"] for finding in ran.raw["findings"] if finding["health"] != "ok")
    assert at(state, "doctor").code == 0


def test_ctrl_c_exits_130_without_a_traceback(state: Path, echo: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tarmac.cli.main", "logs", echo, "--follow", "--state", str(state)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)

    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()  # nothing of it may be left for the tests that count processes
        process.wait()

    assert process.returncode == 130
    assert "Traceback" not in err


def test_invoke_follows_an_asynchronous_model_s_request_to_its_answer(state: Path, tmp_path: Path) -> None:
    """Through `tarmac up`'s own parts and a real model: answer, JSON, failure, and what is said of the model."""
    archive = echo_archive(tmp_path)
    toml = tmp_path / "deploy.toml"
    toml.write_text('mode = "async"\n')
    checked = tarmac("check", str(archive), "--toml", str(toml), "--json")
    pushed = at(state, "push", str(archive), "--name", "queued", "--toml", str(toml), "--wait", "--json")

    answer = at(state, "invoke", "queued", "hello there", "--json")
    plain = at(state, "invoke", "queued", '{"inputs": 1}')
    taken = at(state, "invoke", "queued", "x", "--no-wait", "--json")
    status = at(state, "status", "queued")

    assert pushed.code == 0, pushed.err
    assert checked.raw["plan"]["mode"] == "async"
    assert (answer.raw["status"], answer.raw["answer"]) == (200, {"echo": "hello there"})
    assert json.loads(plain.out) == {"echo": 1}
    assert taken.raw["status"] == 202
    assert taken.raw["answer"]["answer_path"] == f"/requests/{taken.raw['answer']['request']}"
    assert " async" in status.out
    assert "requests wait in a queue" in status.out
    assert at(state, "rm", "queued", "--yes", "--wait").code == 0
