"""What SageMaker and CloudWatch do, as the application relies on it, whoever is behind the ports."""

import pytest

from chalicelib.errors import AlreadyExists, InProgress, NotFound
from chalicelib.names import VARIANT_NAME, ModelName
from chalicelib.state import EndpointStatus
from tests.contract.houses import RELEASES, House, until


def ask(house: House, name: str) -> tuple[int, str, bytes]:
    answer = house.world.runtime.invoke(name, b"\x00words\xff", content_type="application/x-words", accept="*/*")
    return answer.status, answer.content_type, answer.body


def test_nothing_there_is_none_and_deleting_it_is_done(house: House) -> None:
    """Each of the three."""
    at = house.world.endpoints

    at.delete("tarmac-no")
    at.delete_config("tarmac-no-00000000")
    at.delete_model("tarmac-no-00000000")

    assert at.find("tarmac-no") is None
    assert at.list_models(ModelName("no")) == frozenset()
    assert at.list_configs(ModelName("no")) == {}


def test_an_endpoint_is_creating_and_then_in_service(house: House) -> None:
    """Ours, with its configuration, its times in order."""
    name = house.begin("a1")
    creating = house.see(name)
    house.finish(name)
    ready = house.see(name)

    assert (creating.status, ready.status) == (EndpointStatus.CREATING, EndpointStatus.IN_SERVICE)
    assert ready.is_owned
    assert ready.config_name == f"{name}-11111111"
    assert ready.created_at == creating.created_at < ready.modified_at
    assert ready.created_at.tzinfo is not None
    assert ready.variants == (VARIANT_NAME,)
    assert ready.failure_reason is None


def test_a_name_is_created_once(house: House) -> None:
    """Endpoint, configuration and model alike: this is what makes creation idempotent."""
    name = house.begin("a2")
    config, model = f"{name}-11111111", ModelName("a2")

    with pytest.raises(AlreadyExists):
        house.prepare("a2", RELEASES[0])
    with pytest.raises(AlreadyExists):
        house.world.endpoints.create(name, config, model=model, release=RELEASES[0])
    house.finish(name)
    with pytest.raises(AlreadyExists):
        house.world.endpoints.create(name, config, model=model, release=RELEASES[0])


def test_an_endpoint_without_a_configuration_is_not_created(house: House) -> None:
    """NotFound, which the executor takes for a stale read."""
    with pytest.raises(NotFound):
        house.world.endpoints.create("tarmac-a3", "tarmac-a3-00000000", model=ModelName("a3"), release=RELEASES[0])

    assert house.world.endpoints.find("tarmac-a3") is None


def test_one_that_is_being_changed_refuses_changes(house: House) -> None:
    """Creating, Updating and Deleting."""
    at = house.world.endpoints
    name = house.begin("a4")
    second = house.prepare("a4", RELEASES[1])

    for _ in range(2):
        with pytest.raises(InProgress):
            at.delete(name)
        with pytest.raises(InProgress):
            at.update(name, second)
        house.finish(name)
        if house.see(name).config_name == second:
            break
        at.update(name, second)
    at.delete(name)
    with pytest.raises(InProgress):
        at.update(name, second)


def test_an_update_serves_the_old_release_until_the_new_one_is_ready(house: House) -> None:
    """And then the new one."""
    name = house.start("a5")
    before = house.see(name)
    second = house.prepare("a5", RELEASES[1])

    house.world.endpoints.update(name, second)
    during = house.see(name)
    answer = ask(house, name)
    house.finish(name)
    after = house.see(name)

    assert (during.status, during.config_name) == (EndpointStatus.UPDATING, before.config_name)
    assert answer[0] == 200
    assert (after.status, after.config_name) == (EndpointStatus.IN_SERVICE, second)
    assert after.created_at == before.created_at
    assert after.modified_at > before.modified_at


def test_a_failed_update_is_rolled_back_with_a_reason(house: House) -> None:
    """In service with the old configuration, modified after the new one was made."""
    name = house.start("a6")
    second = house.prepare("a6", RELEASES[1], is_broken=True)
    made_at = house.world.endpoints.list_configs(ModelName("a6"))[second]

    house.world.endpoints.update(name, second)
    house.finish(name)
    after = house.see(name)

    assert (after.status, after.config_name) == (EndpointStatus.IN_SERVICE, f"{name}-11111111")
    assert after.failure_reason
    assert after.modified_at > made_at
    assert ask(house, name)[0] == 200


def test_an_update_of_nothing_is_not_found(house: House) -> None:
    """Neither without an endpoint nor without a configuration."""
    name = house.start("a7")

    with pytest.raises(NotFound):
        house.world.endpoints.update("tarmac-nobody", f"{name}-11111111")
    with pytest.raises(NotFound):
        house.world.endpoints.update(name, "tarmac-a7-00000000")

    assert house.see(name).status is EndpointStatus.IN_SERVICE


def test_a_failed_start_says_why_and_can_only_be_deleted(house: House) -> None:
    """In the container's words; nobody is answered."""
    name = house.begin("a8", is_broken=True)
    house.finish(name)
    failed = house.see(name)

    with pytest.raises(NotFound):
        ask(house, name)
    house.world.endpoints.delete(name)
    house.finish(name)

    assert failed.status is EndpointStatus.FAILED
    assert "the container broke" in (failed.failure_reason or "")
    assert house.world.endpoints.find(name) is None


def test_a_deleted_endpoint_goes_and_its_free_records_stay(house: House) -> None:
    """So a wake is one CreateEndpoint."""
    name = house.start("a9")

    house.world.endpoints.delete(name)
    house.finish(name)
    gone = house.world.endpoints.find(name)
    house.world.endpoints.create(name, f"{name}-11111111", model=ModelName("a9"), release=RELEASES[0])
    house.finish(name)

    assert gone is None
    assert house.see(name).status is EndpointStatus.IN_SERVICE


def test_records_are_listed_by_their_very_model(house: House) -> None:
    """`b1` begins `b1-x`."""
    for model in ("b1", "b1-x"):
        house.prepare(model, RELEASES[0])
    at = house.world.endpoints

    assert set(at.list_configs(ModelName("b1"))) == at.list_models(ModelName("b1")) == {"tarmac-b1-11111111"}
    assert all(made_at.tzinfo is not None for made_at in at.list_configs(ModelName("b1")).values())
    at.delete_config("tarmac-b1-11111111")
    at.delete_model("tarmac-b1-11111111")

    assert (at.list_configs(ModelName("b1")), at.list_models(ModelName("b1"))) == ({}, frozenset())
    assert at.list_models(ModelName("b1-x")) == {"tarmac-b1-x-11111111"}


def test_the_list_has_every_endpoint_of_the_prefix(house: House) -> None:
    """With its status and times; a foreign one too, which only its tags tell."""
    house.add_foreign("tarmac-b2")
    house.finish("tarmac-b2")
    name = house.start("b3")

    rows = {row.name: row for row in house.world.endpoints.list()}
    seen = house.see(name)

    assert {"tarmac-b2", name} <= set(rows)
    assert (rows[name].status, rows[name].created_at, rows[name].modified_at) == (
        seen.status,
        seen.created_at,
        seen.modified_at,
    )
    assert not house.see("tarmac-b2").is_owned


def test_bytes_go_through_as_they_are(house: House) -> None:
    """Binary, with the content type."""
    name = house.start("e1")

    status, content_type, body = ask(house, name)

    assert (status, content_type) == (200, "application/x-words")
    assert body.endswith(b"\x00words\xff")


@pytest.mark.parametrize("state", ["absent", "creating"])
def test_who_is_not_there_yet_does_not_answer(house: House, state: str) -> None:
    """NotFound, which is what wakes."""
    name = house.begin("e2") if state == "creating" else "tarmac-e3"

    with pytest.raises(NotFound):
        ask(house, name)


def test_invocations_are_counted_and_what_nobody_sees_is_unknown(house: House) -> None:
    """Never zero for an endpoint that is not there."""
    name = house.start("f1")
    ask(house, name)
    metrics = house.world.metrics

    def counted() -> float | None:
        now = house.world.clock.now()
        return metrics.invocations({name: (VARIANT_NAME,)}, windows_s={name: 60.0}, now=now)[name]

    until(lambda: counted() == 1.0)
    nobody = "tarmac-nobody"
    unseen = metrics.invocations({nobody: (VARIANT_NAME,)}, windows_s={nobody: 60.0}, now=house.world.clock.now())

    assert counted() == 1.0
    assert unseen[nobody] is None
