"""Every claim is asked of the fakes and of the real adapters."""

from collections.abc import Iterator

import pytest

from tests.contract.houses import House, embedded_house, fake_house


@pytest.fixture(scope="module", params=["fakes", "embedded"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for a module's claims; each claim uses models of its own."""
    opened = fake_house() if request.param == "fakes" else embedded_house(tmp_path_factory.mktemp("state"))
    with opened as found:
        yield found
