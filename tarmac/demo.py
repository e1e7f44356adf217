"""The whole life of one model, in front of one's eyes and checked at each step. Started by `tarmac demo`."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console as Screen

from tarmac.demo_engine import EngineProcess, build_example
from tarmac.demo_timeline import DemoFailed, Stage, Timeline

MODEL = "sentiment"
IDLE_AFTER = "4s"
SWEEP_EVERY = "1s"
TOTAL_AT_MOST_S = 60.0
READY_AT_MOST_S = 8.0
WAKE_AT_MOST_S = 6.0
STEP_DEADLINE_S = 60.0
POLL_EVERY_S = 0.05
QUESTIONS = (
    ("the food was great and the service lovely", "POSITIVE"),
    ("what an awful movie", "NEGATIVE"),
    ("we really enjoyed the music", "POSITIVE"),
)


def run_demo(*, keep: bool = False, as_json: bool = False) -> Timeline:
    """Run the seven steps; never raises for a step that fails: the timeline says which, and why.

    Args:
        keep: Leave the state directory, with its logs, where it is; it is left in any case when a step fails.
        as_json: Show nothing: the timeline is all that is wanted.
    """
    screen = Screen(stderr=as_json, quiet=as_json, highlight=False)
    stage = Stage(screen)
    scratch = Path(tempfile.mkdtemp(prefix="tarmac-demo-"))
    engine = EngineProcess(scratch / "state", idle_after=IDLE_AFTER, sweep_every=SWEEP_EVERY)
    try:
        _Demo(stage, engine, scratch).run()
        stage.judge()
    except DemoFailed as exc:
        stage.fail(str(exc))
        keep = True
    except httpx.HTTPError as exc:
        stage.fail(f"the engine stopped answering: {exc!r}")
        keep = True
    finally:
        engine.kill()
        if keep:
            screen.print(f"the state and its logs are in {scratch}", soft_wrap=True)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    stage.show_timeline()
    return stage.timeline


class _Demo:
    """The steps, in order. Each one asserts what it shows."""

    def __init__(self, stage: Stage, engine: EngineProcess, scratch: Path) -> None:
        self._stage = stage
        self._engine = engine
        self._scratch = scratch

    def run(self) -> None:
        began_s = time.monotonic()
        with self._stage.step("set up"):
            self._stage.set_up()
        with self._stage.step("build and pack a tiny BERT"):
            archive = self._build()
        with self._stage.step("start the embedded AWS and upload"):
            self._start()
            # The clock starts before the upload: from a person's hand to an answer is what is promised.
            dropped_s = time.monotonic()
            self._engine.aws("s3").upload_file(str(archive), self._engine.bucket, f"models/{MODEL}/model.tar.gz")
            self._stage.say(f"uploaded to s3://{self._engine.bucket}/models/{MODEL}/model.tar.gz")
        with self._stage.step("dropped, checked, deploying, ready"):
            self._watch_until_ready()
            self._stage.figure("drop to ready", time.monotonic() - dropped_s, at_most_s=READY_AT_MOST_S)
            for text, label in QUESTIONS:
                self._ask(text, label)
        with self._stage.step("idle, so asleep"):
            self._await_sleep()
        with self._stage.step("asked again, so awake"):
            self._wake()
        with self._stage.step("delete the drop"):
            self._delete()
            self._stop()
        self._stage.figure("total", time.monotonic() - began_s, at_most_s=TOTAL_AT_MOST_S)

    def _build(self) -> Path:
        from tarmac.packer import pack

        directory, archive = self._scratch / MODEL, self._scratch / "model.tar.gz"
        self._stage.say(build_example(directory))
        pack(directory, archive)
        self._stage.say(f"packed: model.tar.gz, {archive.stat().st_size / 1000:.0f} kB")
        return archive

    def _start(self) -> None:
        self._engine.start()
        self._stage.say(f"HTTP API {self._engine.url}, every AWS service on {self._engine.aws_endpoint_url}")

    def _watch_until_ready(self) -> None:
        seen: list[str] = []
        for view in self._views():
            if view is None:
                continue
            steps = [view["state"]]
            if view["report"] is not None and "checked" not in seen:
                steps = ["dropped", "checked", *steps] if not seen else ["checked", *steps]
            for state in steps:
                if state not in seen:
                    seen.append(state)
                    self._stage.say(
                        f"{state}" if state != "deploying" else "deploying: a real model server is starting"
                    )
            if view["state"] in ("refused", "failed", "blocked"):
                raise DemoFailed(f"the model is {view['state']}: {view['why']}")
            if view["state"] == "ready":
                _expect({"dropped", "checked", "deploying"} <= set(seen), f"the model became ready by way of {seen}")
                return

    def _ask(self, text: str, label: str) -> None:
        answer = self._invoke(text)
        _expect(answer.status_code == 200, f"HTTP {answer.status_code} to a question: {answer.text}")
        self._show_answer(text, label, answer)

    def _show_answer(self, text: str, label: str, answer: httpx.Response) -> None:
        best = max(answer.json(), key=lambda row: row["score"])
        self._stage.say(f"{text!r} -> {best['label']} {best['score']:.3f}")
        _expect(best["label"] == label, f"{text!r} should be {label}")

    def _invoke(self, text: str) -> httpx.Response:
        return self._engine.http.post(f"/models/{MODEL}/invocations", json={"inputs": text})

    def _await_sleep(self) -> None:
        self._stage.say(f"nobody asks; the model's time to live is {IDLE_AFTER}")
        for view in self._views():
            if view is not None and view["state"] == "asleep":
                break
        endpoints = self._engine.aws("sagemaker").list_endpoints()["Endpoints"]
        _expect(endpoints == [], f"SageMaker still lists {[row['EndpointName'] for row in endpoints]}")
        self._stage.say("asleep: SageMaker lists no endpoint, nothing is billed")

    def _wake(self) -> None:
        text, label = QUESTIONS[0]
        began_s = time.monotonic()
        answer = self._invoke(text)
        _expect(answer.status_code == 503, f"a sleeping model answered HTTP {answer.status_code}, not 503")
        while answer.status_code == 503:
            _expect(answer.headers.get("retry-after", "").isdigit(), "503 came without Retry-After")
            _expect(time.monotonic() - began_s < STEP_DEADLINE_S, "the model did not wake")
            wait_s = int(answer.headers["retry-after"])
            self._stage.say(f"503 {answer.json()['error']['code']}, Retry-After: {wait_s}")
            time.sleep(wait_s)
            answer = self._invoke(text)
        _expect(answer.status_code == 200, f"HTTP {answer.status_code} after the wake: {answer.text}")
        self._stage.figure("wake", time.monotonic() - began_s, at_most_s=WAKE_AT_MOST_S)
        self._show_answer(text, label, answer)

    def _delete(self) -> None:
        self._engine.aws("s3").delete_object(Bucket=self._engine.bucket, Key=f"models/{MODEL}/model.tar.gz")
        for view in self._views():
            if view is None:
                break
        sagemaker = self._engine.aws("sagemaker")
        left = {
            "endpoints": sagemaker.list_endpoints()["Endpoints"],
            "configurations": sagemaker.list_endpoint_configs()["EndpointConfigs"],
            "models": sagemaker.list_models()["Models"],
        }
        _expect(not any(left.values()), f"SageMaker still lists {left}")
        status = self._invoke(QUESTIONS[0][0]).status_code
        _expect(status == 404, f"a deleted model answered HTTP {status}, not 404")
        self._stage.say("endpoint, configuration and model are gone; the model's address answers 404")

    def _stop(self) -> None:
        leftover = self._engine.stop()
        _expect(not leftover, f"left behind: {', '.join(leftover)}")
        self._stage.say("stopped: no process and no open port is left")

    def _views(self) -> Iterator[dict[str, Any] | None]:
        """Read the model again and again; None while there is none. Ends in DemoFailed, not in silence."""
        deadline = time.monotonic() + STEP_DEADLINE_S
        while time.monotonic() < deadline:
            answer = self._engine.http.get(f"/models/{MODEL}")
            _expect(answer.status_code in (200, 404), f"GET /models/{MODEL} answered HTTP {answer.status_code}")
            yield answer.json() if answer.status_code == 200 else None
            time.sleep(POLL_EVERY_S)
        raise DemoFailed(f"waited {STEP_DEADLINE_S:.0f} s in vain")


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise DemoFailed(otherwise)
