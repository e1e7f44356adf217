"""What Application Auto Scaling does, as the application relies on it, whoever is behind the port."""

from chalicelib.ports import Scaling
from chalicelib.reports import Autoscale
from tests.contract.houses import House

FEW, MANY = Autoscale(1, 3, 600), Autoscale(2, 9, 60)


def scaling_of(house: House) -> Scaling:
    scaling = house.world.scaling
    assert scaling is not None
    return scaling


def test_bounds_are_made_changed_and_removed(house: House) -> None:
    """Each of them again changes nothing."""
    name, scaling = house.start("sc1"), scaling_of(house)
    seen = [scaling.find(name)]

    for wished in (FEW, FEW, MANY):
        scaling.ensure(name, wished)
        seen.append(scaling.find(name))
    for _ in range(2):
        scaling.remove(name)
        seen.append(scaling.find(name))

    assert seen == [None, FEW, FEW, MANY, None, None]


def test_the_bounds_of_one_endpoint_are_not_another_s(house: House) -> None:
    """`sc2` begins `sc2-x`."""
    first, second, scaling = house.start("sc2"), house.start("sc2-x"), scaling_of(house)

    scaling.ensure(second, FEW)

    assert (scaling.find(first), scaling.find(second)) == (None, FEW)
