"""One thread at a time for one thing, in one process. Used by the executor; between processes it promises nothing."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

_WAIT_MAX_S = 900.0
"""As long as Lambda lets anything run."""


class Turns:
    """Lets one thread do a thing; who comes meanwhile waits until it is done, and need not do it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, threading.Event] = {}

    @contextmanager
    def take(self, thing: Hashable) -> Iterator[bool]:
        """Tell whether it is this thread's turn; False comes when another's is over, however that ended."""
        mine = threading.Event()
        with self._lock:
            others = self._under_way.setdefault(thing, mine)
        if others is not mine:
            others.wait(_WAIT_MAX_S)
            yield False
            return
        try:
            yield True
        finally:
            with self._lock:
                del self._under_way[thing]
            mine.set()
