"""The sweep: what it finds, what it keeps, and what it costs."""

from collections import Counter

import pytest

from chalicelib.bootstrap import Application
from chalicelib.errors import AccessDenied, Throttled
from chalicelib.names import ModelName, endpoint_name
from chalicelib.state import EndpointStatus
from tests.fakes import REFUSED_ARCHIVE, FakeWorld, Gate, fake_world, good_archive
from tests.unit.scenes import CAT, NAME, app_over, ask, asleep, awake, dropped, settle


class Calls(Gate):
    """Counts what is called, once it is switched on."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()

    def before(self, call: str) -> None:
        self.made[call.split(maxsplit=1)[0]] += 1


def fleet(size: int, gate: Gate | None = None) -> tuple[FakeWorld, Application]:
    """As many models in service as asked for, idle for a long time."""
    world = fake_world(gate=gate)
    app = app_over(world)
    for index in range(size):
        world.drop(f"m{index}", good_archive())
        app.looker.look(ModelName(f"m{index}"))
    world.clock.advance(20)
    world.endpoints.settle()
    world.clock.advance(2000)
    return world, app


def deleting(world: FakeWorld) -> int:
    return sum(e.status is EndpointStatus.DELETING for e in world.endpoints.endpoints.values())


def test_an_idle_model_is_put_to_sleep() -> None:
    """And the sweep says which."""
    world, app = awake()
    world.clock.advance(1000)

    swept = app.sweeper.sweep()

    assert swept.slept == ("cat",)
    assert world.endpoints.status(NAME) is EndpointStatus.DELETING


def test_a_used_one_is_not() -> None:
    """Through the proxy or around it."""
    world, app = awake()
    world.clock.advance(1000)
    world.evidence.traffic.append((NAME, world.clock.now()))

    assert app.sweeper.sweep().slept == ()


def test_a_lost_event_is_healed() -> None:
    """Drop, deletion and state change alike."""
    world, app = dropped()

    app.sweeper.sweep()
    world.endpoints.settle()
    world.undrop(CAT)
    app.sweeper.sweep()
    world.endpoints.settle()
    app.sweeper.sweep()

    assert world.bucket.keys() == []
    assert world.endpoints.endpoints == world.endpoints.configs == world.endpoints.models == {}


@pytest.mark.parametrize(("running", "most"), [(6, 5), (25, 5), (30, 6), (50, 10)])
def test_one_sweep_deletes_at_most_five_or_a_fifth_of_what_runs(running: int, most: int) -> None:
    """The larger of the two; the rest is for the next one."""
    world, app = fleet(running)

    swept = app.sweeper.sweep()

    assert len(swept.slept) == deleting(world) == most
    assert len(swept.kept) == running - most


def test_unknown_metrics_keep() -> None:
    """And are spoken of."""
    world, app = awake()
    world.clock.advance(1000)
    world.metrics.unknown.add(NAME)

    swept = app.sweeper.sweep()

    assert swept.slept == ()
    assert "unknown is not idle" in swept.kept["cat"]


def test_a_cloudwatch_that_does_not_answer_keeps_everything() -> None:
    """The looks go on."""

    class Blind(Gate):
        def before(self, call: str) -> None:
            if call.startswith("cloudwatch"):
                raise Throttled("Rate exceeded")

    world, app = fleet(3, Blind())

    swept = app.sweeper.sweep()

    assert (swept.slept, deleting(world)) == ((), 0)
    assert len(swept.looked) == 3


@pytest.mark.parametrize("error", [AccessDenied("no"), Throttled("slow"), ValueError("a defect")])
def test_one_model_s_failure_never_stops_another_s(error: Exception) -> None:
    """Whatever it is, and wherever in its look it happens."""

    class Break(Gate):
        is_on = False

        def before(self, call: str) -> None:
            if self.is_on and call == "s3.find models/m1/model.tar.gz":
                raise error

    gate = Break()
    _, app = fleet(3, gate)
    gate.is_on = True

    swept = app.sweeper.sweep()

    assert set(swept.failed) == {"m1"}
    assert swept.slept == ("m0", "m2")


def test_a_thousand_asleep_cost_no_call_each() -> None:
    """Four listings of S3 and one of SageMaker, whatever sleeps."""
    gate = Calls()
    world, _app = asleep()
    template = dict(world.bucket.objects)
    crowd = fake_world(world.clock, gate)
    for index in range(1000):
        for key, (content, row) in template.items():
            crowd.bucket.put(key.replace("cat", f"m{index}"), content, etag=row.etag)
    crowd.clock.advance(2)
    for index in range(1000):
        crowd.bucket.put(f"asleep/m{index}", b"mark")

    swept = app_over(crowd).sweeper.sweep()

    assert swept.looked == ()
    assert gate.made == {"sagemaker.list": 1, "s3.list": 4}


def test_a_refused_drop_is_not_inspected_again() -> None:
    """Its report stands."""
    world, app = dropped()
    world.drop(CAT, REFUSED_ARCHIVE)
    app.sweeper.sweep()
    before = dict(world.bucket.objects)

    app.sweeper.sweep()

    assert world.bucket.objects == before


def test_a_model_with_a_ttl_of_never_runs_on() -> None:
    """Its own wish."""
    world, app = awake(toml=b'idle_after = "never"\n')
    world.clock.advance(1_000_000)

    assert app.sweeper.sweep().slept == ()


def test_a_model_with_its_own_ttl_sleeps_by_that() -> None:
    """Longer than the deployment's."""
    world, app = awake(toml=b'idle_after = "30m"\n')

    world.clock.advance(1000)
    early = app.sweeper.sweep().slept
    world.clock.advance(1000)

    assert (early, app.sweeper.sweep().slept) == ((), ("cat",))


def test_a_foreign_endpoint_is_left_alone() -> None:
    """Even one with our prefix and nothing dropped."""
    world, app = fleet(0)
    world.endpoints.add("tarmac-dog", "theirs", is_owned=False)
    world.clock.advance(5000)

    app.sweeper.sweep()

    assert world.endpoints.status("tarmac-dog") is EndpointStatus.IN_SERVICE
    assert world.evidence.violations == []


def test_an_orphan_of_ours_is_removed() -> None:
    """An endpoint without a drop costs money for nothing."""
    world, app = fleet(0)
    world.endpoints.add(endpoint_name("tarmac", "dog"), "tarmac-dog-01234567")

    app.sweeper.sweep()

    assert world.endpoints.status("tarmac-dog") is EndpointStatus.DELETING


def test_sleep_by_hand_waits_until_no_ticket_is_valid() -> None:
    """Two touch intervals after the last use."""
    world, app = awake()
    ask(app)
    world.clock.advance(2)
    app.commands.sleep("cat")

    world.clock.advance(100)
    early = app.sweeper.sweep().slept
    world.clock.advance(30)

    assert (early, app.sweeper.sweep().slept) == ((), ("cat",))


def test_a_request_during_the_wait_wins_over_sleep_by_hand() -> None:
    """The mark is removed once it has settled."""
    world, app = awake()
    app.commands.sleep("cat")
    world.clock.advance(2)
    other = app_over(world)
    with pytest.raises(Exception, match="asleep"):
        ask(other)
    world.clock.advance(95)

    swept = app.sweeper.sweep()

    assert swept.slept == ()
    assert world.bucket.keys("asleep/") == []
    assert ask(other)


def test_a_crashed_sweep_s_mark_is_acted_upon_by_the_next() -> None:
    """Nobody used it meanwhile."""
    world, app = awake()
    world.clock.advance(1000)
    world.marks.put_asleep(CAT)
    world.clock.advance(300)

    assert app.sweeper.sweep().slept == ("cat",)


def test_a_sweep_leaves_the_transitions_to_sagemaker() -> None:
    """Nothing is planned while it works."""
    world, app = dropped()
    app.sweeper.sweep()
    world.clock.advance(5000)

    app.sweeper.sweep()

    assert world.endpoints.status(NAME) is EndpointStatus.CREATING
    settle(world, app)
    assert ask(app)


def test_a_drop_put_back_and_put_to_sleep_at_once_is_checked_all_the_same() -> None:
    """Its old report is older than it: what sleeps under it is what a wake would start."""
    world, app = asleep()
    redropped_at = world.clock.now()
    world.drop(CAT, good_archive())
    world.clock.advance(2)
    world.marks.put_asleep(CAT)
    world.clock.advance(2)

    swept = app.sweeper.sweep()

    report = app.looker.desired(CAT).report
    assert swept.looked == ("cat",)
    assert report is not None
    assert report.checked_at > redropped_at
    assert world.endpoints.status(NAME) is None
