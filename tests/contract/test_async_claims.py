"""What asynchronous endpoints do, as the application relies on it, whoever is behind the ports."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.errors import AnswerTooLarge, AwsError, InvalidCall, NotFound
from chalicelib.names import ModelName, endpoint_name, release_name
from chalicelib.state import Answer, Ticket
from tests.contract.houses import PLAN, RELEASES, House, until
from tests.fakes import APP, FakeWorld

ASYNC = replace(PLAN, mode="async", max_concurrency=2)
TOKEN = "0" * 32


def add_async(house: House, model: str) -> str:
    """Make the records of a second release, which is asynchronous; the first one's archive serves it."""
    name, named = release_name(APP, model, RELEASES[1]), ModelName(model)
    uri = house.world.releases.archive_uri(named, RELEASES[0])
    house.world.endpoints.create_model(name, model=named, release=RELEASES[1], plan=ASYNC, archive_uri=uri)
    house.world.endpoints.create_config(name, model=named, release=RELEASES[1], plan=ASYNC)
    return name


def start_async(house: House, model: str) -> str:
    house.prepare(model, RELEASES[0])
    config, name = add_async(house, model), endpoint_name(APP, model)
    house.world.endpoints.create(name, config, model=ModelName(model), release=RELEASES[1])
    house.finish(name)
    return name


def work(house: House) -> None:
    """Let the fakes' model answer; the embedded AWS has a real one, which answers by itself."""
    if isinstance(house.world, FakeWorld):
        house.world.runtime.work(house.world.bucket)


def test_an_asynchronous_endpoint_is_told_from_another_and_no_update_makes_one_of_the_other(house: House) -> None:
    """Either way: it goes on as it was."""
    name = start_async(house, "as1")
    plain = house.start("as2")
    config = add_async(house, "as2")

    with pytest.raises(AwsError):
        house.world.endpoints.update(name, release_name(APP, "as2", RELEASES[0]))
    with pytest.raises(AwsError):
        house.world.endpoints.update(plain, config)

    assert house.see(name).is_async
    assert not house.see(plain).is_async


def test_what_is_parked_is_answered_where_was_said_with_its_content_type(house: House) -> None:
    """And the backlog is seen: while something waits, and when nothing does."""
    name = start_async(house, "as3")
    parked, model = house.world.parked, ModelName("as3")
    uri = parked.park(model, TOKEN, b"\x00words\xff", content_type="application/x-words")

    output, failure = house.world.runtime.invoke_async(name, uri, content_type="application/x-words", accept="*/*")
    peak = house.world.metrics.backlogs({name: 20.0}, now=house.world.clock.now())[name].peak
    work(house)
    until(lambda: parked.read_answer(output, max_bytes=100) is not None)
    answer = parked.read_answer(output, max_bytes=100)

    assert output.startswith(uri.removesuffix(f"{TOKEN}/input") + "answers/")
    assert failure is not None
    assert failure.startswith(uri.removesuffix(f"{TOKEN}/input") + "failures/")
    assert isinstance(answer, Answer)
    assert (answer.content_type, answer.body[-7:]) == ("application/x-words", b"\x00words\xff")
    assert parked.read_answer(failure, max_bytes=100) is None
    assert peak == 1
    with pytest.raises(AnswerTooLarge):
        parked.read_answer(output, max_bytes=3)

    def is_empty() -> bool:
        seen = house.world.metrics.backlogs({name: 20.0}, now=house.world.clock.now())
        return name in seen and seen[name].empty_at is not None

    house.pass_second()
    until(is_empty)


def test_each_kind_of_endpoint_takes_its_own_call_only(house: House) -> None:
    """InvalidCall, which the proxy tells from the endpoint's kind; NotFound where there is none."""
    name, plain = start_async(house, "as4"), house.start("as5")
    uri = house.world.parked.park(ModelName("as4"), TOKEN, b"x", content_type="text/plain")

    with pytest.raises(InvalidCall):
        house.world.runtime.invoke(name, b"x", content_type="text/plain", accept="*/*")
    with pytest.raises(InvalidCall):
        house.world.runtime.invoke_async(plain, uri, content_type="text/plain", accept="*/*")
    with pytest.raises(NotFound):
        house.world.runtime.invoke_async(f"{APP}-nobody", uri, content_type="text/plain", accept="*/*")


def test_a_realtime_endpoint_has_no_backlog_to_see(house: House) -> None:
    """Unknown, which is never idle."""
    name = house.start("as6")

    assert name not in house.world.metrics.backlogs({name: 20.0}, now=house.world.clock.now())


def test_a_ticket_is_read_as_it_was_written_and_a_damaged_one_is_none(house: House) -> None:
    """With and without a place for failures."""
    parked, model, when = house.world.parked, ModelName("as7"), datetime(2026, 1, 5, 9, 30, 15, 5, tzinfo=UTC)
    tickets = [Ticket("s3://b/a", failure, when, "text/csv") for failure in ("s3://b/f", None)]
    read = []

    for ticket in tickets:
        parked.write_ticket(model, TOKEN, ticket)
        read.append(parked.read_ticket(model, TOKEN))
    house.put(f"requests/as7/{TOKEN}/ticket.json", b"{}")

    assert read == tickets
    assert parked.read_ticket(model, TOKEN) is None
    assert parked.read_ticket(model, "1" * 32) is None
