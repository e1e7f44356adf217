"""One set of archives and one answer of the toolkit to each request, for all of these tests."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.local.serving import ModelServer, start, stop, wait_until_ready
from tests.parity.cases import DIFFERENT, POOLED, SAME, WRONG, Case
from tests.parity.toolkits import Reply, build_archives, handled

_RUNNING_MAX = 4
"""Each takes some 300 MB."""
EVERY = (*SAME, *DIFFERENT, POOLED, *WRONG)


@dataclass(frozen=True)
class Servers:
    """serve.py for each archive, started when asked for, one ahead, so that no core idles; a few run at a time."""

    root: Path
    started: dict[tuple[str, str], ModelServer] = field(default_factory=dict)

    def reply(self, case: Case) -> Reply:
        """Ask the server of a case's archive."""
        order = list(dict.fromkeys(one.archive for one in EVERY))
        place = order.index(case.archive)
        for archive in order[place : place + 2]:
            self._start(archive)
        while len(self.started) > _RUNNING_MAX:
            stop(self.started.pop(next(iter(self.started))))
        wait_until_ready(self.started[case.archive])
        answer = self.started[case.archive].post(case.body, case.content_type)
        return Reply(answer.status_code, answer.content)

    def _start(self, archive: tuple[str, str]) -> None:
        variant, task = archive
        if archive in self.started:
            self.started[archive] = self.started.pop(archive)  # the one asked last is the last to go
        else:
            # A server's log lies beside its archive: one archive a task.
            place = self.root / "served" / f"{variant}-{task}"
            place.parent.mkdir(exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(self.root / "plain" / variant)
            self.started[archive] = start(place, **({"HF_TASK": task} if task else {}))

    def stop(self) -> None:
        """End them all."""
        for server in self.started.values():
            stop(server)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parity")
    build_archives(root, (case.variant for case in EVERY))
    return root


@pytest.fixture(scope="session")
def toolkit(archives: Path) -> dict[Case, Reply]:
    """What the toolkit itself answers."""
    return handled(archives / "plain", EVERY)


@pytest.fixture(scope="session")
def hooked(archives: Path) -> dict[Case, Reply]:
    """What our hooks answer when the toolkit calls them."""
    return handled(archives / "ours", EVERY)


@pytest.fixture(scope="module")  # not the session: these processes would stand about while other rooms run
def served(archives: Path) -> Iterator[Servers]:
    """Our server."""
    servers = Servers(archives)
    yield servers
    servers.stop()
