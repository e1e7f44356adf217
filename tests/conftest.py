"""What every test gets. Keep it small: whatever only one room needs belongs in that room's own conftest."""

import pytest

from tests.legality import legal_requests  # autouse: importing it here is what switches it on

__all__ = ["legal_requests"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that the plugins of this directory understand."""
    config.addinivalue_line("markers", "illegal_requests: the test sends AWS what AWS refuses, on purpose")
