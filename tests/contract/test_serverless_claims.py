"""What serverless endpoints do, as the application relies on it, whoever is behind the ports."""

from dataclasses import replace

import pytest

from chalicelib.errors import AwsError
from chalicelib.names import ModelName, endpoint_name, release_name
from tests.contract.houses import PLAN, RELEASES, House
from tests.fakes import APP

SERVERLESS = replace(PLAN, mode="serverless", instance_type=None, memory_mb=2048, max_concurrency=3, is_isolated=False)


def add_serverless(house: House, model: str) -> str:
    """Make the records of a second release, which is serverless; the first one's archive serves it."""
    name, named = release_name(APP, model, RELEASES[1]), ModelName(model)
    uri = house.world.releases.archive_uri(named, RELEASES[0])
    house.world.endpoints.create_model(name, model=named, release=RELEASES[1], plan=SERVERLESS, archive_uri=uri)
    house.world.endpoints.create_config(name, model=named, release=RELEASES[1], plan=SERVERLESS)
    return name


def test_a_serverless_endpoint_is_told_from_one_with_instances(house: House) -> None:
    """By describing it; and an update makes instances of it."""
    house.prepare("sl1", RELEASES[0])
    config, name = add_serverless(house, "sl1"), endpoint_name(APP, "sl1")
    house.world.endpoints.create(name, config, model=ModelName("sl1"), release=RELEASES[1])
    house.finish(name)
    before = house.see(name)

    house.world.endpoints.update(name, release_name(APP, "sl1", RELEASES[0]))
    house.finish(name)

    assert before.is_serverless
    assert not house.see(name).is_serverless


def test_instances_are_not_updated_into_serverless(house: House) -> None:
    """SageMaker refuses, and the endpoint goes on as it was."""
    name = house.start("sl2")
    config = add_serverless(house, "sl2")

    with pytest.raises(AwsError):
        house.world.endpoints.update(name, config)

    assert not house.see(name).is_serverless
