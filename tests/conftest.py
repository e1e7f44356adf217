"""What every test gets. Keep it small: whatever only one room needs belongs in that room's own conftest."""

import signal

import pytest

from tests.legality import legal_requests  # autouse: importing it here is what switches it on

__all__ = ["legal_requests"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers that the plugins of this directory understand."""
    config.addinivalue_line("markers", "illegal_requests: the test sends AWS what AWS refuses, on purpose")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell gives that to what it starts in the background, and so would every process whose Ctrl-C a test tries.
        signal.signal(signal.SIGINT, signal.default_int_handler)
