"""The poller and the schedule around fakes: what Lambda promises of its event sources holds here too."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tarmac.local.poller import Poller
from tarmac.local.schedule import Schedule


class FakeQueue:
    """An SQS client over a list. What is given back is visible again at once, whatever its time-out."""

    def __init__(self, *bodies: str) -> None:
        self._lock = threading.Lock()
        self._visible = [self._message(number, body) for number, body in enumerate(bodies)]
        self._in_flight: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.returned: list[tuple[str, int]] = []

    def _message(self, number: int, body: str) -> dict[str, Any]:
        return {
            "MessageId": f"m{number}",
            "ReceiptHandle": f"r{number}",
            "Body": body,
            "Attributes": {"ApproximateReceiveCount": "1"},
        }

    def receive_message(self, *, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            taken, self._visible = self._visible[:MaxNumberOfMessages], self._visible[MaxNumberOfMessages:]
            self._in_flight |= {message["ReceiptHandle"]: message for message in taken}
        if not taken:
            time.sleep(0.01)
        return {"Messages": taken} if taken else {}

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # noqa: N803
        with self._lock:
            for entry in Entries:
                self.deleted.append(self._in_flight.pop(entry["ReceiptHandle"])["MessageId"])

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        with self._lock:
            message = self._in_flight.pop(ReceiptHandle)
            self.returned.append((message["MessageId"], VisibilityTimeout))
            count = int(message["Attributes"]["ApproximateReceiveCount"]) + 1
            self._visible.append({**message, "Attributes": {"ApproximateReceiveCount": str(count)}})


def until(is_so: Callable[[], bool], timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def poll(queue: FakeQueue, handler: Callable[[dict[str, Any], Any], Any], is_done: Callable[[], bool]) -> None:
    poller = Poller(queue, "http://queue", handler, app="tarmac")
    poller.start()
    try:
        until(is_done)
    finally:
        poller.stop()


def about(model: str) -> str:
    return json.dumps({"model": model})


def test_the_handler_gets_what_lambda_would_send() -> None:
    queue = FakeQueue(about("cat"))
    events: list[dict[str, Any]] = []

    def look(event: dict[str, Any], context: Any) -> dict[str, Any]:
        assert context.aws_request_id
        events.append(event)
        return {"batchItemFailures": []}

    poll(queue, look, lambda: bool(queue.deleted))

    record = events[0]["Records"][0]
    assert (record["messageId"], record["body"], record["eventSource"]) == ("m0", about("cat"), "aws:sqs")
    assert record["attributes"] == {"ApproximateReceiveCount": "1"}


def test_messages_about_one_model_are_never_looked_at_twice_at_a_time() -> None:
    queue = FakeQueue(*[about(model) for model in ("cat", "dog", "owl") * 20])
    running: list[str] = []
    overlaps: list[str] = []
    most_at_once = 0

    def look(event: dict[str, Any], _context: Any) -> None:
        nonlocal most_at_once
        models = {json.loads(record["body"])["model"] for record in event["Records"]}
        assert len(models) == 1
        model = models.pop()
        if model in running:
            overlaps.append(model)
        running.append(model)
        most_at_once = max(most_at_once, len(running))
        time.sleep(0.02)
        running.remove(model)

    poll(queue, look, lambda: len(queue.deleted) == 60)

    assert overlaps == []
    assert most_at_once > 1


def test_only_the_failed_of_a_batch_come_again() -> None:
    queue = FakeQueue(about("cat"), about("cat"))
    seen: list[str] = []

    def look(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        ids = [record["messageId"] for record in event["Records"]]
        seen.extend(ids)
        return {"batchItemFailures": [{"itemIdentifier": "m1"}] if seen.count("m1") == 1 and "m1" in ids else []}

    poll(queue, look, lambda: len(queue.deleted) == 2)

    assert seen.count("m0") == 1
    assert seen.count("m1") == 2
    assert queue.returned == [("m1", 1)]


def test_a_handler_that_raises_gets_its_message_again_later_and_later() -> None:
    queue = FakeQueue(about("cat"), about("dog"))
    raised = 0

    def look(event: dict[str, Any], _context: Any) -> None:
        nonlocal raised
        if json.loads(event["Records"][0]["body"])["model"] == "cat" and raised < 3:
            raised += 1
            raise ValueError("a defect")

    poll(queue, look, lambda: len(queue.deleted) == 2)

    assert [wait_s for _, wait_s in queue.returned] == [1, 2, 4]


def test_an_unreadable_message_still_reaches_the_handler() -> None:
    queue = FakeQueue("no json", "[1]", '{"detail": 3}')

    poll(queue, lambda _event, _context: None, lambda: len(queue.deleted) == 3)

    assert sorted(queue.deleted) == ["m0", "m1", "m2"]


def test_a_broken_queue_does_not_end_the_poller() -> None:
    class Flaky(FakeQueue):
        failures = 1

        def receive_message(self, **kwargs: Any) -> dict[str, Any]:
            if self.failures:
                self.failures -= 1
                raise ConnectionError("the queue is away")
            return super().receive_message(**kwargs)

    queue = Flaky(about("cat"))

    poll(queue, lambda _event, _context: None, lambda: queue.deleted == ["m0"])


def test_the_schedule_sweeps_at_once_and_again_and_outlives_a_failing_sweep() -> None:
    events: list[dict[str, Any]] = []

    def sweep(event: dict[str, Any], _context: Any) -> None:
        events.append(event)
        raise ValueError("a defect")

    schedule = Schedule(sweep, every_s=0.02)
    schedule.start()
    until(lambda: len(events) >= 3)
    schedule.stop()

    assert {event["source"] for event in events} == {"aws.events"}


def test_two_sweeps_never_run_at_a_time() -> None:
    running = 0
    most = 0
    done = 0

    def sweep(_event: dict[str, Any], _context: Any) -> str:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1
        done += 1
        return "swept"

    schedule = Schedule(sweep, every_s=0.001)
    schedule.start()
    threads = [threading.Thread(target=schedule.invoke) for _ in range(8)]
    for thread in threads:
        thread.start()
    answer = schedule.invoke({}, None)
    for thread in threads:
        thread.join()
    schedule.stop()

    assert (most, answer) == (1, "swept")
    assert done >= 9
