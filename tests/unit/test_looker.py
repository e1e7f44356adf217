"""What drops, re-drops, failures and deletions come to, through the real looker, planner, executor and S3 adapters."""

import pytest

from chalicelib.actions import CreateEndpoint, DeleteEndpoint, InspectDrop, RecordFailure
from chalicelib.errors import AccessDenied, QuotaExceeded, Unavailable
from chalicelib.names import ModelName, release_name
from chalicelib.state import EndpointStatus
from tests.fakes import REFUSED_ARCHIVE, FakeWorld, Gate, fake_world, good_archive
from tests.unit.scenes import CAT, NAME, app_over, ask, awake, dropped, redrop, settle


class Calls(Gate):
    """Remembers what was called."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def before(self, call: str) -> None:
        self.made.append(call)


def config_of(world: FakeWorld) -> str:
    """The configuration of what is dropped now, unless it repeats an earlier one."""
    drop = world.drops.find(CAT)
    assert drop is not None
    return release_name("tarmac", CAT, drop.release)


def releases_in(world: FakeWorld) -> set[str]:
    return {key.split("/")[2] for key in world.bucket.keys("releases/cat/")}


def test_a_drop_becomes_an_endpoint_in_one_look() -> None:
    """Inspected, pinned, created; then SageMaker is waited for."""
    world, app = dropped()

    done = app.looker.look(CAT).done

    assert [type(action).__name__ for action, _ in done] == [
        "InspectDrop", "CreateModel", "CreateEndpointConfig", "CreateEndpoint",
    ]  # fmt: skip
    assert world.endpoints.status(NAME) is EndpointStatus.CREATING
    assert world.endpoints.models[config_of(world)].endswith("/model.tar.gz")


def test_looking_again_changes_nothing() -> None:
    """Duplicate, late and out-of-order events are all the same look."""
    world, app = awake()
    before = dict(world.bucket.objects)

    for _ in range(3):
        assert app.looker.look(CAT).done == ()

    assert world.bucket.objects == before
    assert world.evidence.attempted["create"] == 1


def test_a_re_drop_updates_and_the_old_release_answers_meanwhile() -> None:
    """No failed request in between."""
    world, app = awake()
    old = config_of(world)

    redrop(world, app, good_archive("two"))
    during = ask(app)
    settle(world, app)

    assert during.startswith(old.encode())
    assert ask(app).startswith(config_of(world).encode())
    assert set(world.endpoints.configs) == set(world.endpoints.models) == {config_of(world)}


def test_the_same_bytes_with_another_etag_are_the_same_release() -> None:
    """An upload in parts of another size; nothing is deployed again."""
    world, app = awake()

    redrop(world, app, good_archive(), etag="abcdef-2")

    desired = app.looker.desired(CAT)
    assert desired.report is not None
    assert desired.target is not None
    assert desired.report.same_as == desired.target.release != desired.report.release
    assert world.evidence.accepted == {"create": 1}
    assert app.looker.look(CAT).done == ()


def test_a_removed_deploy_toml_is_another_release() -> None:
    """The same bytes under other wishes."""
    world, app = awake(toml=b'idle_after = "30m"\n')
    del world.bucket.objects["models/cat/deploy.toml"]

    redrop(world, app, good_archive())

    assert world.evidence.accepted["update"] == 1


def test_a_refused_re_drop_never_touches_the_live_release() -> None:
    """It is refused in its report, and that is all."""
    world, app = awake()
    live = config_of(world)

    redrop(world, app, REFUSED_ARCHIVE)

    desired = app.looker.desired(CAT)
    assert desired.report is not None
    assert not desired.report.is_accepted
    assert ask(app).startswith(live.encode())
    assert world.evidence.accepted == {"create": 1}


def test_a_failing_re_drop_falls_back_and_is_written_down_once() -> None:
    """Rolled back by SageMaker; not tried again by us."""
    world, app = awake()
    live = config_of(world)
    redrop(world, app, good_archive("two"))

    settle(world, app, fails=True)
    again = [app.looker.look(CAT).done for _ in range(3)]

    assert again == [(), (), ()]
    assert ask(app).startswith(live.encode())
    failure = app.looker.desired(CAT).failure
    assert failure is not None
    assert failure.reason == "the container broke"
    assert world.evidence.attempted["update"] == 1


def test_a_first_drop_that_does_not_start_is_written_down_and_left() -> None:
    """Failed costs nothing; the reason stands there."""
    world, app = dropped()
    app.looker.look(CAT)

    settle(world, app, fails=True)

    assert world.endpoints.status(NAME) is EndpointStatus.FAILED
    assert app.looker.desired(CAT).target is None
    assert app.looker.look(CAT).done == ()


def test_a_re_drop_after_a_failed_start_starts_anew() -> None:
    """The failed endpoint is cleared away first."""
    world, app = dropped()
    app.looker.look(CAT)
    settle(world, app, fails=True)

    redrop(world, app, good_archive("two"))
    settle(world, app)
    settle(world, app)

    assert ask(app).startswith(config_of(world).encode())


def test_dropping_a_failed_release_s_bytes_again_tries_it_again() -> None:
    """A person has mended something outside the archive."""
    world, app = dropped()
    app.looker.look(CAT)
    settle(world, app, fails=True)

    redrop(world, app, good_archive())
    settle(world, app)
    settle(world, app)

    assert ask(app)
    assert app.looker.desired(CAT).failure is None


def test_a_failed_start_overtaken_by_a_newer_drop_is_remembered() -> None:
    """So that nobody falls back to it."""
    world, app = dropped()
    app.looker.look(CAT)
    world.clock.advance(5)
    world.drop(CAT, good_archive("two"))
    settle(world, app, fails=True)

    done = app.looker.look(CAT).done

    assert done == ()
    assert sum(key.endswith("failed.json") for key in world.bucket.objects) == 1
    assert world.endpoints.status(NAME) is EndpointStatus.DELETING


def test_a_lacking_quota_is_tried_again_after_a_while() -> None:
    """It is AWS's lack, not the model's fault; and never a loop."""
    world, app = dropped()
    world.endpoints.refusals.append(QuotaExceeded("0 instances"))

    app.looker.look(CAT)
    soon = [app.looker.look(CAT).done for _ in range(3)]
    world.clock.advance(301)
    app.looker.look(CAT)

    assert soon == [(), (), ()]
    assert world.endpoints.status(NAME) is EndpointStatus.CREATING
    assert world.evidence.attempted["create"] == 2


def test_a_configuration_not_seen_yet_is_worth_another_look() -> None:
    """CreateEndpoint may read a stale copy."""
    world, app = dropped()
    app.looker.look(CAT)
    world.endpoints.endpoints.clear()
    world.endpoints.configs.clear()
    action = CreateEndpoint(NAME, config_of(world), CAT, app.looker.desired(CAT).releases[0].release)

    with pytest.raises(Unavailable):
        app.looker.executor.execute(action)


def test_only_the_newest_releases_are_kept() -> None:
    """Three by default, and the one that serves."""
    world, app = awake()

    for words in ("two", "three", "four", "five"):
        redrop(world, app, good_archive(words))
        settle(world, app)

    kept = releases_in(world)
    drop = world.drops.find(CAT)
    assert drop is not None
    assert len(kept) == 3
    assert drop.release in kept


def test_deleting_the_drop_removes_everything_endpoint_first() -> None:
    """A configuration in use must not be deleted, and S3's traces are what a crash is mended by."""
    gate = Calls()
    world = fake_world(gate=gate)
    app = app_over(world)
    world.drop(CAT, good_archive())
    app.looker.look(CAT)
    settle(world, app)
    ask(app)
    world.undrop(CAT)
    gate.made.clear()

    app.looker.look(CAT)
    settle(world, app)

    removals = [call for call in gate.made if ".delete" in call]
    assert [call.split()[0] for call in removals[:3]] == [
        "sagemaker.delete", "sagemaker.delete_config", "sagemaker.delete_model",
    ]  # fmt: skip
    assert all(call.startswith("s3.delete releases/cat/") for call in removals[-3:])
    assert world.bucket.keys() == []
    assert (world.endpoints.endpoints, world.endpoints.configs, world.endpoints.models) == ({}, {}, {})
    assert world.evidence.violations == []


def test_a_bad_name_is_refused_with_a_report_and_reaches_no_sagemaker() -> None:
    """Its report lies where its name says."""
    gate = Calls()
    world = fake_world(gate=gate)
    app = app_over(world)
    bad = ModelName("Bad Name")
    world.drop(bad, good_archive())

    done = app.looker.look(bad).done

    assert [type(action) for action, _ in done] == [InspectDrop]
    report = app.looker.desired(bad).report
    assert report is not None
    assert report.errors
    assert not [call for call in gate.made if call.startswith("sagemaker")]


def test_a_raw_name_below_another_model_s_does_not_hide_its_releases() -> None:
    """`cat/old` is refused; `cat` runs on whatever their release ids are."""
    world, app = awake()
    for index in range(6):
        world.drop(f"cat/{index}", good_archive(str(index)))
        app.looker.look(ModelName(f"cat/{index}"))

    assert app.looker.look(CAT).done == ()
    assert {record.release for record in app.looker.desired(CAT).releases} == {
        record.release for record in world.releases.list(CAT)
    }
    assert len(world.releases.list(CAT)) == 1


def test_a_lost_pinned_copy_is_made_again() -> None:
    """Somebody removed it; nothing could start without it."""
    world, app = awake()
    pinned = next(key for key in world.bucket.objects if key.startswith("releases/") and key.endswith(".tar.gz"))
    del world.bucket.objects[pinned]

    app.looker.look(CAT)

    assert pinned in world.bucket.objects


def test_a_drop_overwritten_while_it_is_read_is_looked_at_again() -> None:
    """The report is of what was read, so of the new one."""

    class Overwrite(Gate):
        def before(self, call: str) -> None:
            if call.startswith("s3.copy") and not self.is_done:
                self.is_done = True
                world.drop(CAT, good_archive("two"))

        is_done = False

    world = fake_world(gate=Overwrite())
    world.drop(CAT, good_archive())

    app_over(world).looker.look(CAT)

    assert list(world.endpoints.endpoints) == [NAME]
    assert world.endpoints.endpoints[NAME].config_name == config_of(world)


def test_a_drop_removed_while_it_is_read_is_no_error() -> None:
    """The next observation sees that it is gone."""

    class Remove(Gate):
        def before(self, call: str) -> None:
            if call.startswith("s3.open models/"):
                world.undrop(CAT)

    world = fake_world(gate=Remove())
    world.drop(CAT, good_archive())

    app_over(world).looker.look(CAT)

    assert world.bucket.keys() == []


def test_a_damaged_failure_record_is_as_good_as_none() -> None:
    """Nobody's hand in the bucket stops a model."""
    world, app = awake()
    drop = world.drops.find(CAT)
    assert drop is not None
    world.bucket.put(f"releases/cat/{drop.release}/failed.json", b'{"reason": "half')

    assert app.looker.desired(CAT).failure is None
    assert ask(app)


def test_what_aws_forbids_is_told_and_not_swallowed() -> None:
    """The queue's door decides what to do about it."""

    class Forbid(Gate):
        def before(self, call: str) -> None:
            if call.startswith("sagemaker.create_model"):
                raise AccessDenied("no")

    world = fake_world(gate=Forbid())
    world.drop(CAT, good_archive())

    with pytest.raises(AccessDenied):
        app_over(world).looker.look(CAT)


def test_a_foreign_endpoint_of_the_same_name_is_never_touched() -> None:
    """A name alone does not make it ours."""
    world, app = dropped()
    world.endpoints.add(NAME, "theirs", is_owned=False)

    app.looker.look(CAT)
    world.undrop(CAT)
    app.looker.look(CAT)

    assert world.endpoints.status(NAME) is EndpointStatus.IN_SERVICE
    assert world.evidence.violations == []


def test_the_plan_is_free_of_deeds() -> None:
    """`tarmac plan` asks as often as it likes."""
    world, app = dropped()

    actions = app.looker.plan(CAT)

    assert [type(action) for action in actions] == [InspectDrop]
    assert world.bucket.keys("releases/") == []


def test_an_update_s_length_is_not_taken_for_a_start_s() -> None:
    """Else Retry-After would tell how old the endpoint is."""
    world, app = awake()
    world.clock.advance(400)

    redrop(world, app, good_archive("two"))
    settle(world, app)

    drop = world.drops.find(CAT)
    assert drop is not None
    assert world.releases.read_starts(CAT, drop.release) == ()


def test_failures_deletions_and_retries_are_actions_like_any_other() -> None:
    """A failed start, retried by hand, takes three looks: clear away, forget, start."""
    world, app = dropped()
    app.looker.look(CAT)
    world.clock.advance(20)
    world.endpoints.fail(NAME)
    first = app.looker.look(CAT).done

    app.commands.wake(CAT)
    second = app.looker.look(CAT).done
    world.endpoints.settle()
    third = app.looker.look(CAT).done

    assert [type(action) for action, _ in first] == [RecordFailure]
    assert [type(action) for action, _ in second] == [DeleteEndpoint]
    assert [type(action).__name__ for action, _ in third] == ["ForgetFailure", "CreateEndpoint"]


@pytest.mark.parametrize("etag", [None, "abcdef-2"], ids=["as it was", "in other parts"])
@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "failing"])
def test_a_bad_drop_after_going_back_to_older_bytes_keeps_what_runs(etag: str | None, is_refused: bool) -> None:
    """The release to fall back to is the one dropped last, not the one first seen last."""
    world, app = awake()
    first = config_of(world)
    redrop(world, app, good_archive("two"))
    settle(world, app)
    redrop(world, app, good_archive(), etag=etag)
    settle(world, app)
    updates = world.evidence.attempted["update"]

    redrop(world, app, REFUSED_ARCHIVE if is_refused else good_archive("three"))
    if not is_refused:
        settle(world, app, fails=True)
    app.looker.look(CAT)
    world.endpoints.settle()

    assert ask(app).startswith(first.encode())
    assert world.evidence.attempted["update"] == updates + (not is_refused)


def test_dropping_the_same_bytes_again_changes_nothing_that_runs() -> None:
    """It is checked once more, and that is all."""
    world, app = awake()

    redrop(world, app, good_archive())

    assert app.looker.look(CAT).done == ()
    assert world.evidence.accepted == {"create": 1}
