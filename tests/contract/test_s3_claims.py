"""What drops, releases and marks promise, whoever is behind them."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.errors import Changed, NotFound
from chalicelib.names import ModelName, ReleaseId, release_id
from chalicelib.reports import Report
from chalicelib.state import Drop, Failure
from tests.contract.houses import PLAN, House

WHEN = datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC)


def drop_of(house: House, model: str) -> Drop:
    found = house.world.drops.find(ModelName(model))
    assert found is not None
    return found


def test_nothing_dropped_is_none(house: House) -> None:
    """And a code/ alone is no drop."""
    house.put("models/d0/code/inference.py", b"")

    assert house.world.drops.find(ModelName("d0")) is None
    assert "d0" not in house.world.drops.list()


def test_a_deploy_toml_alone_is_a_drop_without_an_archive(house: House) -> None:
    """The listing and the look agree on it; what it names is the door's to read."""
    etag = house.put("models/d00/deploy.toml", b"toml")

    drop = drop_of(house, "d00")

    assert (drop.has_archive, drop.size_bytes, drop.toml_etag) == (False, 0, etag)
    assert drop.release == release_id("", etag)
    assert house.world.drops.list()[ModelName("d00")] == drop
    assert house.world.drops.read_toml(drop) == b"toml"


def test_a_drop_is_found_alike_alone_and_in_the_list(house: House) -> None:
    """To the ETag and the second."""
    etag = house.put("models/d1/model.tar.gz", b"archive")
    toml_etag = house.put("models/d1/deploy.toml", b"toml")

    drop = drop_of(house, "d1")

    assert (drop.archive_etag, drop.toml_etag, drop.size_bytes) == (etag, toml_etag, 7)
    assert drop.release == release_id(etag, toml_etag)
    assert house.world.drops.list()[ModelName("d1")] == drop
    assert drop.dropped_at.tzinfo is not None
    assert drop.dropped_at.microsecond == 0


def test_the_flat_spelling_is_a_drop_and_the_folder_wins(house: House) -> None:
    """Both are said."""
    house.put("models/d2.tar.gz", b"flat")
    flat = drop_of(house, "d2")
    house.put("models/d2/model.tar.gz", b"folder")

    both = drop_of(house, "d2")

    assert flat.archive_key == "models/d2.tar.gz"
    assert (both.archive_key, both.other_archive_key) == ("models/d2/model.tar.gz", "models/d2.tar.gz")


def test_exactly_the_drop_that_was_seen_is_read(house: House) -> None:
    """An overwritten one is Changed, a removed one NotFound; the same for deploy.toml."""
    house.put("models/d3/model.tar.gz", b"one")
    house.put("models/d3/deploy.toml", b"1")
    seen = drop_of(house, "d3")

    with_stream = house.world.drops.open_archive(seen)
    first, rest = with_stream.read(2), with_stream.read()
    with_stream.close()
    toml = house.world.drops.read_toml(seen)
    house.put("models/d3/model.tar.gz", b"two")
    house.put("models/d3/deploy.toml", b"2")

    assert (first, rest, toml) == (b"on", b"e", b"1")
    with pytest.raises(Changed):
        house.world.drops.open_archive(seen)
    with pytest.raises(Changed):
        house.world.drops.read_toml(seen)
    with pytest.raises(Changed):
        house.world.releases.pin(seen)
    house.world.drops.delete(ModelName("d3"))
    for read in (house.world.drops.open_archive, house.world.drops.read_toml, house.world.releases.pin):
        with pytest.raises(NotFound):
            read(seen)


def test_deleting_a_drop_twice_is_done(house: House) -> None:
    """And it is gone."""
    house.put("models/d4/model.tar.gz", b"x")

    house.world.drops.delete(ModelName("d4"))
    house.world.drops.delete(ModelName("d4"))

    assert house.world.drops.find(ModelName("d4")) is None


def test_a_name_too_long_for_a_key_is_not_there(house: House) -> None:
    """And no error."""
    raw = ModelName("x" * 2000)

    assert house.world.drops.find(raw) is None
    assert house.world.marks.used(raw) is None
    assert not house.world.marks.has_traces(raw)


def test_a_release_is_listed_with_what_it_has(house: House) -> None:
    """Alone and among all."""
    model = ModelName("r1")
    house.put("models/r1/model.tar.gz", b"bytes")
    drop = drop_of(house, "r1")
    releases = house.world.releases

    releases.pin(drop)
    report = Report("r1", drop.release, WHEN, (), 5, "sha", PLAN)
    releases.write_report(report)
    (record,) = releases.list(model)

    assert record.release == drop.release
    assert record.pinned_at is not None
    assert record.reported_at is not None
    assert (record.failed_at, record.started_at) == (None, None)
    assert releases.list_all()[model] == (record,)
    assert releases.read_report(model, drop.release) == report
    assert releases.archive_uri(model, drop.release).endswith(f"releases/r1/{drop.release}/model.tar.gz")


def test_what_was_never_written_is_absent(house: House) -> None:
    """None, empty, and deletions that are done."""
    model, release = ModelName("r2"), ReleaseId("0" * 12)
    releases = house.world.releases

    releases.delete_failure(model, release)
    releases.delete(model, release)

    assert releases.list(model) == ()
    assert releases.read_report(model, release) is None
    assert releases.read_failure(model, release) is None
    assert releases.read_starts(model, release) == ()


def test_a_failure_is_remembered_until_it_is_removed(house: House) -> None:
    """Every field."""
    model, release = ModelName("r3"), ReleaseId("a" * 12)
    failure = Failure("it broke: äöü", WHEN + timedelta(microseconds=5), is_retry_asked=True, is_transient=True)

    house.world.releases.write_failure(model, release, failure)
    read = house.world.releases.read_failure(model, release)
    house.world.releases.delete_failure(model, release)

    assert read == failure
    assert house.world.releases.read_failure(model, release) is None


def test_the_last_ten_starts_are_kept(house: House) -> None:
    """Oldest first."""
    model, release = ModelName("r4"), ReleaseId("b" * 12)

    for seconds in range(1, 13):
        house.world.releases.write_start(model, release, float(seconds))

    assert house.world.releases.read_starts(model, release) == tuple(float(s) for s in range(3, 13))


def test_a_deleted_release_leaves_the_others(house: House) -> None:
    """Prefixes do not run into each other."""
    model, other = ModelName("r5"), ModelName("r5-b")
    for owner, release in ((model, "1" * 12), (model, "2" * 12), (other, "1" * 12)):
        house.world.releases.write_start(owner, ReleaseId(release), 1.0)

    house.world.releases.delete(model, ReleaseId("1" * 12))

    assert [record.release for record in house.world.releases.list(model)] == ["2" * 12]
    assert [record.release for record in house.world.releases.list(other)] == ["1" * 12]


def test_a_raw_name_below_another_s_is_not_taken_for_it(house: House) -> None:
    """`r6/9` was refused; `r6` has releases of its own."""
    house.world.releases.write_start(ModelName("r6/9"), ReleaseId("1" * 12), 1.0)
    house.world.releases.write_start(ModelName("r6"), ReleaseId("a" * 12), 1.0)

    assert [record.release for record in house.world.releases.list(ModelName("r6"))] == ["a" * 12]
    assert [record.release for record in house.world.releases.list(ModelName("r6/9"))] == ["1" * 12]


def test_every_touch_can_be_told_from_the_one_before(house: House) -> None:
    """Within the same second too."""
    marks, model = house.world.marks, ModelName("m1")
    stamps = []

    for _ in range(3):
        marks.touch(model)
        stamps.append(marks.used(model))

    assert None not in stamps
    assert len(set(stamps)) == 3
    assert marks.list_used()[model] == stamps[-1]


def test_times_are_whole_seconds_and_do_not_go_back(house: House) -> None:
    """Aware UTC."""
    marks, model = house.world.marks, ModelName("m2")
    marks.touch(model)
    first = marks.used(model)
    house.pass_second()
    marks.touch(model)
    second = marks.used(model)

    assert first is not None
    assert second is not None
    assert second.at > first.at
    assert {first.at.microsecond, second.at.microsecond} == {0}
    assert first.at.tzinfo is UTC


def test_only_the_mark_that_is_meant_is_removed(house: House) -> None:
    """If-Match: not a newer one, not one that is gone."""
    marks, model = house.world.marks, ModelName("m3")
    first = marks.put_asleep(model)
    second = marks.put_asleep(model)

    seen = marks.asleep(model)
    answers = [
        marks.remove_asleep(model, first),
        marks.remove_asleep(model, second),
        marks.remove_asleep(model, second),
    ]

    assert seen is not None
    assert seen.etag == second
    assert answers == [False, True, False]
    assert marks.asleep(model) is None
    assert model not in marks.list_asleep()


def test_forgetting_leaves_nothing_and_touches_nobody_else(house: House) -> None:
    """Uses, marks, requests and releases."""
    marks, model, other = house.world.marks, ModelName("m4"), ModelName("m4-b")
    for owner in (model, other):
        marks.touch(owner)
        marks.put_asleep(owner)
        house.put(f"requests/{owner}/1", b"x")
        house.world.releases.write_start(owner, ReleaseId("1" * 12), 1.0)

    had = marks.has_traces(model)
    marks.forget(model)

    assert had
    assert not marks.has_traces(model)
    assert marks.has_traces(other)
    assert marks.used(other) is not None


@pytest.mark.parametrize("key", ["usage/{}", "asleep/{}", "requests/{}/1", "releases/{}/111111111111/report.json"])
def test_each_kind_of_trace_is_seen(house: House, key: str) -> None:
    """One is enough."""
    model = f"t{key[:2]}"
    house.put(key.format(model), b"x")

    assert house.world.marks.has_traces(ModelName(model))


def test_a_look_that_is_asked_for_is_in_the_queue(house: House) -> None:
    """By name."""
    house.asked()

    house.world.looks.ask(ModelName("cat"))

    assert "cat" in house.asked()
