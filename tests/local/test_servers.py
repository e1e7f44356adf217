"""Model servers as real processes: started, failed, killed, updated, restarted, and never left behind."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from examples.sentiment import build
from tarmac.local.environments import Environments
from tarmac.local.journal import Journal
from tarmac.local.processes import PROCESS_KIND, end_orphans
from tarmac.local.servers import with_log
from tarmac.local.workloads import Checkups, Workload, container_environment
from tests.local.sagemaker_rig import Rig, archive, running_rig, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path, ping_timeout_s=10.0) as running:
        yield running


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def failure_reason(rig: Rig, name: str) -> str:
    rig.await_status(name, "Failed")
    return str(rig.sagemaker.describe_endpoint(EndpointName=name)["FailureReason"])


def child_pid(rig: Rig, name: str) -> int:
    """The process that the model server started."""

    def found() -> list[str]:
        return [line for group, _, line in rig.log_lines if group.endswith(f"/{name}") and line.startswith("child ")]

    return int(until(found)[-1].split()[1])


def test_five_models_are_awake_at_once_and_a_broken_sixth_disturbs_none(rig: Rig) -> None:
    names = [f"model-{number}" for number in range(5)]
    for name in names:
        rig.create(name, name)
    rig.create("bad", "broken")
    reason = failure_reason(rig, "bad")
    for name in names:
        rig.await_status(name, "InService")

    assert [rig.invoke(name, b"who").decode() for name in names] == names
    assert len({rig.pid(name) for name in names}) == 5
    assert "did not pass the ping health check" in reason


def test_a_failure_ends_with_the_last_words_of_the_log(rig: Rig) -> None:
    rig.create("bad", "broken")

    reason = failure_reason(rig, "bad")

    assert reason.startswith(
        "The primary container for production variant AllTraffic did not pass the ping health check."
    )
    assert reason.endswith("line 29\nthe weights make no sense")
    assert "line 19" not in reason
    assert len(reason) <= 1024
    assert "the weights make no sense" in (rig.directory / "servers" / "bad" / "log").read_text()
    group, stream, _ = rig.log_lines[-1]
    assert group == "/aws/sagemaker/Endpoints/bad"
    assert stream.startswith("AllTraffic/")


def test_a_long_failure_keeps_the_end_of_the_log() -> None:
    reason = with_log("It did not start.", ["x" * 3000, "the end"])

    assert len(reason) == 1024
    assert reason.startswith("It did not start.")
    assert reason.endswith("the end")


def test_a_server_that_never_answers_fails_in_time(tmp_path: Path) -> None:
    before = children()
    with running_rig(tmp_path, ping_timeout_s=0.6) as rig:
        rig.create("mute", "mute")

        reason = failure_reason(rig, "mute")

        assert "did not answer 200 within 0.6 s" in reason
        assert children() <= before


def children() -> set[psutil.Process]:
    """The processes that come from this one; another module's may be among them."""
    return set(psutil.Process().children(recursive=True))


def hostile(kind: str) -> bytes:
    if kind == "truncated":
        return archive({"words.txt": "hello" * 1000, "more.txt": os.urandom(5000).hex()})[:-600]
    if kind == "not an archive":
        return b"hello"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("../escaped.txt" if kind == "outside" else "device")
        if kind == "device":
            member.type = tarfile.CHRTYPE
        tar.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["truncated", "not an archive", "outside", "device"])
def test_a_bad_archive_is_a_failed_endpoint_and_nothing_is_written_outside(rig: Rig, kind: str) -> None:
    rig.create_config("bad")
    rig.drop("bad.tar.gz", hostile(kind))

    rig.sagemaker.create_endpoint(EndpointName="bad", EndpointConfigName="bad")

    assert "cannot be unpacked" in failure_reason(rig, "bad")
    assert list(rig.directory.rglob("escaped.txt")) == []


def test_a_failed_endpoint_can_only_be_deleted_and_its_name_is_free_again(rig: Rig) -> None:
    rig.create("bad", "broken")
    rig.await_status("bad", "Failed")
    rig.create_config("good")

    with pytest.raises(ClientError, match="Cannot update endpoint"):
        rig.sagemaker.update_endpoint(EndpointName="bad", EndpointConfigName="good")
    rig.sagemaker.delete_endpoint(EndpointName="bad")
    rig.await_status("bad", None)
    rig.sagemaker.create_endpoint(EndpointName="bad", EndpointConfigName="good")
    rig.await_status("bad", "InService")

    assert "FailureReason" not in rig.sagemaker.describe_endpoint(EndpointName="bad")


def test_a_killed_server_is_started_again_and_callers_meanwhile_are_refused_at_once(rig: Rig) -> None:
    rig.create("model", START_S="0.3")
    rig.await_status("model", "InService")
    rig.invoke("model")
    pid = rig.pid("model")

    os.kill(pid, signal.SIGKILL)
    codes: list[str] = []

    def is_healed() -> bool:
        began = time.monotonic()
        try:
            rig.invoke("model")
        except ClientError as exc:
            codes.append(exc.response["Error"]["Code"])
            return False
        finally:
            assert time.monotonic() - began < 2
        return True

    until(is_healed)

    assert "ServiceUnavailable" in codes
    assert set(codes) <= {"ServiceUnavailable", "ModelError"}
    assert rig.pid("model") != pid
    assert rig.status("model") == "InService"
    assert any("was ended by signal 9" in line for _, _, line in rig.log_lines)


def test_a_server_that_keeps_dying_is_started_ever_more_slowly_and_heals(rig: Rig) -> None:
    rig.create("model")
    rig.await_status("model", "InService")
    pauses = []
    for _ in range(3):
        until(lambda: answers(rig, "model"))
        began = time.monotonic()
        with pytest.raises(ClientError, match="could not get a response"):
            rig.invoke("model", b"die")
        until(lambda: answers(rig, "model"))
        pauses.append(time.monotonic() - began)

    assert pauses[2] > 0.9
    assert rig.status("model") == "InService"


def test_the_request_that_a_killed_server_had_begun_fails_as_on_sagemaker_and_does_not_hang(rig: Rig) -> None:
    rig.create("model", SLOW_S="30")
    rig.await_status("model", "InService")
    failures: list[ClientError] = []

    def call() -> None:
        try:
            rig.invoke("model", b"slow")
        except ClientError as exc:
            failures.append(exc)

    caller = threading.Thread(target=call)
    caller.start()
    until(lambda: any(name == "Invocations" for _, name, _, _ in rig.metrics))
    time.sleep(0.2)

    os.kill(rig.pid("model"), signal.SIGKILL)
    caller.join(timeout=5)

    (failure,) = (failure.response for failure in failures)
    assert (failure["Error"]["Code"], failure["OriginalStatusCode"]) == ("ModelError", 0)
    assert failure["OriginalMessage"].startswith("Amazon SageMaker could not get a response from the model endpoint.")
    until(lambda: answers(rig, "model"))


def test_a_server_that_hangs_is_replaced_without_being_asked_and_no_other_endpoint_notices(tmp_path: Path) -> None:
    with running_rig(tmp_path, checkups=Checkups(every_s=0.2, misses=2)) as rig:
        for name in ("sick", "well"):
            rig.create(name, name)
        for name in ("sick", "well"):
            rig.await_status(name, "InService")
        pids = rig.pid("sick"), rig.pid("well")
        rig.invoke("sick", b"sicken")
        others: list[bytes] = []

        while is_alive(pids[0]):
            others.append(rig.invoke("well", b"who"))
        until(lambda: answers(rig, "sick"))

        assert set(others) == {b"well"}
        assert (rig.pid("sick") != pids[0], rig.pid("well")) == (True, pids[1])
        assert rig.status("sick") == "InService"
        assert any("has not passed 2 health checks in a row" in line for _, _, line in rig.log_lines)


def test_a_server_that_misses_a_health_check_now_and_then_is_left_alone(tmp_path: Path) -> None:
    with running_rig(tmp_path, checkups=Checkups(every_s=0.1, misses=2)) as rig:
        rig.create("model")
        rig.await_status("model", "InService")
        process = psutil.Process(rig.pid("model"))

        for _ in range(2):
            process.suspend()
            time.sleep(2.4)
            process.resume()
            time.sleep(0.5)

        assert rig.pid("model") == process.pid


def answers(rig: Rig, name: str) -> bool:
    with contextlib.suppress(ClientError):
        return rig.invoke(name) == b"hi"
    return False


def test_an_update_fails_no_request_of_four_busy_callers(rig: Rig) -> None:
    rig.create("model", "old")
    rig.await_status("model", "InService")
    rig.create_config("next", "new", START_S="0.4")
    old_pid = rig.pid("model")
    seen: list[str] = []
    is_over = threading.Event()

    def call() -> None:
        while not is_over.is_set():
            try:
                seen.append(rig.invoke("model", b"who").decode())
            except ClientError as exc:
                seen.append(str(exc))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    rig.sagemaker.update_endpoint(EndpointName="model", EndpointConfigName="next")
    rig.await_status("model", "InService")
    until(lambda: not is_alive(old_pid))
    count = len(seen)
    until(lambda: len(seen) > count + 20)
    is_over.set()
    for caller in callers:
        caller.join()

    assert set(seen) == {"old", "new"}
    assert seen[-1] == "new"


def test_an_update_lets_a_long_request_finish_on_the_old_server(rig: Rig) -> None:
    rig.create("model", "old", SLOW_S="1")
    rig.await_status("model", "InService")
    rig.create_config("next", "new")
    old_pid = rig.pid("model")
    answers_got: list[bytes] = []
    caller = threading.Thread(target=lambda: answers_got.append(rig.invoke("model", b"slow")))
    caller.start()
    until(lambda: any(name == "Invocations" for _, name, _, _ in rig.metrics))

    rig.sagemaker.update_endpoint(EndpointName="model", EndpointConfigName="next")
    until(lambda: rig.invoke("model", b"who") == b"new")
    old_was_alive = is_alive(old_pid)
    caller.join()

    assert old_was_alive
    assert answers_got == [b"slow"]
    until(lambda: not is_alive(old_pid))
    until(lambda: sorted(path.name for path in (rig.directory / "servers" / "model").iterdir()) == ["2", "log"])


def test_an_update_that_fails_is_rolled_back_and_the_next_good_one_clears_the_reason(rig: Rig) -> None:
    rig.create("model", "old")
    rig.await_status("model", "InService")
    rig.create_config("bad", "broken")
    rig.create_config("good", "new")

    rig.sagemaker.update_endpoint(EndpointName="model", EndpointConfigName="bad")
    rig.await_status("model", "InService")
    rolled_back = rig.sagemaker.describe_endpoint(EndpointName="model")
    answer = rig.invoke("model", b"who")
    rig.sagemaker.update_endpoint(EndpointName="model", EndpointConfigName="good")
    rig.await_status("model", "InService")
    updated = rig.sagemaker.describe_endpoint(EndpointName="model")

    assert (rolled_back["EndpointConfigName"], answer) == ("model", b"old")
    assert rolled_back["FailureReason"].endswith("the weights make no sense")
    assert "PendingDeploymentSummary" not in rolled_back
    assert updated["EndpointConfigName"] == "good"
    assert "FailureReason" not in updated


def test_a_stop_leaves_no_process_and_no_thread(tmp_path: Path) -> None:
    threads, before = set(threading.enumerate()), children()

    with running_rig(tmp_path) as rig:
        rig.create("model", CHILD="1")
        rig.create("starting", START_S="5")
        rig.await_status("model", "InService")
        pids = [rig.pid("model"), child_pid(rig, "model")]
        began = time.monotonic()

    assert time.monotonic() - began < 5
    assert not any(is_alive(pid) for pid in pids)
    assert children() <= before
    until(lambda: {one for one in threading.enumerate() if not one.name.startswith("Thread-")} <= threads)


def test_what_was_awake_comes_back_and_what_failed_or_went_does_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.start()
    tags = [{"Key": "tarmac:app", "Value": "tarmac"}]
    rig.create("awake", "old")
    rig.create("bad", "broken")
    rig.create("gone")
    for name, status in (("awake", "InService"), ("bad", "Failed"), ("gone", "InService")):
        rig.await_status(name, status)
    rig.sagemaker.add_tags(ResourceArn=rig.sagemaker.describe_endpoint(EndpointName="awake")["EndpointArn"], Tags=tags)
    rig.create_config("slow", "new", START_S="60")
    rig.sagemaker.update_endpoint(EndpointName="awake", EndpointConfigName="slow")
    rig.sagemaker.delete_model(ModelName="awake")
    rig.sagemaker.delete_endpoint(EndpointName="gone")
    rig.await_status("gone", None)
    before = rig.sagemaker.describe_endpoint(EndpointName="awake")
    bad_before = rig.sagemaker.describe_endpoint(EndpointName="bad")

    rig.stop()
    rig.start()
    try:
        first = rig.status("awake")
        rig.await_status("awake", "InService")
        after = rig.sagemaker.describe_endpoint(EndpointName="awake")
        bad_after = rig.sagemaker.describe_endpoint(EndpointName="bad")

        assert first in {"Creating", "InService"}
        assert (after["CreationTime"], after["EndpointConfigName"]) == (before["CreationTime"], "awake")
        assert rig.invoke("awake", b"who") == b"old"
        assert rig.sagemaker.list_tags(ResourceArn=after["EndpointArn"])["Tags"] == tags
        for described in (bad_before, bad_after):
            described.pop("ResponseMetadata")
        assert bad_after == bad_before
        assert rig.status("gone") is None
        assert [one["ModelName"] for one in rig.sagemaker.list_models()["Models"]] == ["slow", "gone", "bad"]
    finally:
        rig.stop()


LONE_ENGINE = """
import sys, pathlib, time
sys.path.insert(0, sys.argv[2])
from tests.local.sagemaker_rig import Rig, until
rig = Rig(pathlib.Path(sys.argv[1]))
rig.start()
rig.create("model", CHILD="1")
rig.await_status("model", "InService")
child = until(lambda: [line for _, _, line in rig.log_lines if line.startswith("child ")])[0].split()[1]
print(rig.pid("model"), child, flush=True)
time.sleep(60)
"""


def test_no_model_server_and_no_child_of_one_outlives_a_killed_engine(tmp_path: Path) -> None:
    engine = subprocess.Popen(
        [sys.executable, "-c", LONE_ENGINE, str(tmp_path), str(ROOT)], stdout=subprocess.PIPE, text=True
    )
    assert engine.stdout is not None
    with engine.stdout as output:
        pids = [int(word) for word in output.readline().split()]
    assert len(pids) == 2
    assert all(is_alive(pid) for pid in pids)

    engine.kill()
    engine.wait()

    until(lambda: not any(is_alive(pid) for pid in pids), within_s=2)
    with running_rig(tmp_path) as rig:
        rig.await_status("model", "InService")
        assert rig.invoke("model") == b"hi"


def test_an_orphan_is_ended_at_start_and_a_stranger_with_its_number_is_not(tmp_path: Path) -> None:
    sleeper = "import time; time.sleep(60)"
    script = tmp_path / "serve.py"
    script.write_text(sleeper)
    leash_fd, keep_fd = os.pipe()
    child_path = ROOT / "tarmac" / "local" / "child.py"
    orphan = subprocess.Popen(
        [sys.executable, str(child_path), str(leash_fd), "open", str(script)],
        pass_fds=[leash_fd],
        start_new_session=True,
    )
    stranger = subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True)
    older = subprocess.Popen([sys.executable, "-c", sleeper, str(child_path)], start_new_session=True)
    journal = Journal(tmp_path / "journal.db")

    def remember(key: str, pid: int, *, off_s: float = 0.0) -> None:
        created_at_s = psutil.Process(pid).create_time() + off_s
        journal.put(PROCESS_KIND, key, {"pid": pid, "created_at_s": created_at_s})

    remember("orphan/1", orphan.pid)
    remember("stranger/1", stranger.pid)
    remember("older/1", older.pid, off_s=-100)
    try:
        found = end_orphans(journal)

        assert found == 1
        assert not is_alive(orphan.pid)
        assert stranger.poll() is None
        assert older.poll() is None
        assert list(journal.items(PROCESS_KIND)) == []
    finally:
        for process in (orphan, stranger, older):
            process.kill()
            process.wait()
        for fd in (leash_fd, keep_fd):
            os.close(fd)
        journal.close()


def workload(directory: Path, *, is_isolated: bool = True, **environment: str) -> Workload:
    return Workload(
        endpoint_name="e",
        variant_name="v",
        generation=3,
        find_archive=None,
        environment=environment,
        is_isolated=is_isolated,
        serve_path=directory / "serve.py",
        endpoint_dir=directory,
        environments=Environments(directory / "environments"),
        ping_timeout_s=1,
    )


def test_a_model_server_gets_the_containers_environment_and_no_credentials(tmp_path: Path) -> None:
    surroundings = {
        "PATH": "/bin",
        "HOME": "/home/ada",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_PROFILE": "p",
        "HF_TOKEN": "t",
        "SSH_AUTH_SOCK": "x",
    }
    asked = {"HF_TASK": "fill-mask", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", "AWS_ACCESS_KEY_ID": "a"}

    given = container_environment(workload(tmp_path, **asked), surroundings=surroundings)

    model_dir = str(tmp_path / "3" / "opt" / "ml" / "model")
    assert given["SM_MODEL_DIR"] == model_dir
    assert given["SAGEMAKER_SUBMIT_DIRECTORY"] == f"{model_dir}/code"
    assert (given["HF_TASK"], given["PATH"], given["HOME"]) == ("fill-mask", "/bin", str(tmp_path / "3"))
    assert (given["HF_HUB_OFFLINE"], given["TRANSFORMERS_OFFLINE"]) == ("1", "1")
    assert (given["TOKENIZERS_PARALLELISM"], given["PYTHONUNBUFFERED"]) == ("false", "1")
    assert not {key for key in given if key.startswith("AWS_")} | given.keys() & {"HF_TOKEN", "SSH_AUTH_SOCK"}


def test_a_model_cannot_undo_its_own_isolation(tmp_path: Path) -> None:
    given = container_environment(workload(tmp_path, HF_HUB_OFFLINE="0", SM_MODEL_DIR="/"), surroundings={})

    assert given["HF_HUB_OFFLINE"] == "1"
    assert given["SM_MODEL_DIR"] != "/"


def test_a_model_from_the_hub_that_is_not_isolated_may_fetch_it(tmp_path: Path) -> None:
    hub_model = workload(tmp_path, is_isolated=False, HF_MODEL_ID="org/model")

    given = container_environment(hub_model, surroundings={"HOME": "/home/ada", "HF_TOKEN": "t"})

    assert given["HF_HUB_OFFLINE"] == "0"
    assert (given["HF_TOKEN"], given["HF_HOME"]) == ("t", "/home/ada/.cache/huggingface")


def test_an_isolated_model_reaches_nothing_but_loopback_and_sees_no_credentials(rig: Rig) -> None:
    rig.create("alone", isolated=True)
    rig.await_status("alone", "InService")

    refusal = rig.invoke("alone", b"reach").decode()
    environment: dict[str, Any] = json.loads(rig.invoke("alone", b"env"))

    assert refusal.startswith("PermissionError")
    assert not [key for key in environment if key.startswith("AWS_")]


LEAVING = """
import pathlib, runpy, sys
child = runpy.run_path(sys.argv[1], run_name="child")
sys.exit(0 if child["leave_network"]() else 7)
"""


def test_where_the_kernel_lets_it_native_code_of_an_isolated_model_does_not_even_reach_this_machine(rig: Rig) -> None:
    """Nobody chooses what the kernel lets: what is to be seen is asked of it first."""
    child_path = str(ROOT / "tarmac" / "local" / "child.py")
    is_let = subprocess.run([sys.executable, "-c", LEAVING, child_path], check=False).returncode == 0
    for name, is_isolated in (("alone", True), ("open", False)):
        rig.create(name, isolated=is_isolated)
        rig.await_status(name, "InService")
    port = rig.server.server_port

    alone = rig.invoke("alone", b"reach natively %d" % port), rig.invoke("alone", b"own loopback")
    is_open = rig.invoke("open", b"reach natively %d" % port)

    assert alone == (b"Connection refused" if is_let else b"connected", b"True")
    assert is_open == b"connected"
    told = any("no network namespace" in line for group, _, line in rig.log_lines if group.endswith("/alone"))
    assert told is not is_let


def test_the_model_server_of_the_container_serves_a_real_model_and_heals(tmp_path: Path) -> None:
    build(tmp_path / "model")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "model", ".")
    question = {"Body": b'{"inputs": ["what a great film", "awful"]}', "ContentType": "application/json"}
    with running_rig(tmp_path, serve_path=ROOT / "inference_code" / "serve.py") as rig:
        rig.create_config_of("sentiment", (tmp_path / "model.tar.gz").read_bytes())

        rig.sagemaker.create_endpoint(EndpointName="sentiment", EndpointConfigName="sentiment")
        rig.await_status("sentiment", "InService", within_s=60)
        first = rig.runtime.invoke_endpoint(EndpointName="sentiment", **question)
        os.kill(rig.pid("sentiment"), signal.SIGKILL)
        until(lambda: is_answered(rig, question), within_s=60)
        with pytest.raises(ClientError) as caught:
            rig.invoke("sentiment", b"{", ContentType="application/json")

        assert first["ContentType"] == "application/json"
        assert [one["label"] for one in json.load(first["Body"])] == ["POSITIVE", "NEGATIVE"]
        assert caught.value.response["Error"]["Code"] == "ModelError"
        assert 400 <= caught.value.response["OriginalStatusCode"] < 500


def is_answered(rig: Rig, question: dict[str, Any]) -> bool:
    with contextlib.suppress(ClientError):
        rig.runtime.invoke_endpoint(EndpointName="sentiment", **question)
        return True
    return False


def test_unpacking_takes_no_more_memory_for_a_larger_archive(tmp_path: Path) -> None:
    source = tmp_path / "model.tar.gz"
    noise = os.urandom(1 << 20)
    with tarfile.open(source, "w:gz", compresslevel=0) as tar:
        member = tarfile.TarInfo("weights.bin")
        member.size = 160 << 20
        tar.addfile(member, _Repeated(noise, 160))
    (tmp_path / "into").mkdir()
    script = (
        "import pathlib, resource, sys\n"
        "from tarmac.local.unpacking import unpack\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "unpack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), is_stopped=lambda: False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    arguments = [sys.executable, "-c", script, str(source), str(tmp_path / "into")]
    grown_kib = int(subprocess.run(arguments, cwd=ROOT, capture_output=True, check=True).stdout)

    assert grown_kib < 16 * 1024
    assert (tmp_path / "into" / "weights.bin").stat().st_size == 160 << 20


class _Repeated(io.RawIOBase):
    """One block, again and again."""

    def __init__(self, block: bytes, times: int) -> None:
        super().__init__()
        self._block = block
        self._left = len(block) * times
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        taken = self._block[self._at : self._at + min(size, self._left)]
        self._at = (self._at + len(taken)) % len(self._block)
        self._left -= len(taken)
        return taken


def test_where_the_kernel_cannot_help_a_thread_ends_the_group_when_the_engine_has_gone() -> None:
    code = (
        "import sys, time\n"
        "sys.platform = 'another'\n"
        "from tarmac.local.child import die_with_parent\n"
        "die_with_parent(int(sys.argv[1]))\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    leash_fd, keep_fd = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(leash_fd)],
        cwd=ROOT,
        pass_fds=[leash_fd],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(leash_fd)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"

        os.close(keep_fd)

        assert process.wait(5) == -signal.SIGKILL
