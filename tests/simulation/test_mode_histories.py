"""Random histories of models that become serverless, scaled, async and plain again: no request meets a replacement."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from chalicelib.idleness import MARK_SETTLED_S
from chalicelib.looker import live_release
from chalicelib.names import ModelName, endpoint_name, toml_key
from chalicelib.planner import must_replace
from chalicelib.state import EndpointStatus
from tests.fakes import APP, DAWN, FakeEndpoint
from tests.simulation.histories import History

SEEDS = int(os.environ.get("TARMAC_SIMULATION_SEEDS", "300")) // 3
BATCHES = 5
TOMLS = (b"", b'mode = "serverless"\ntrust = "trusted"\n', b"[autoscale]\nmin = 2\nmax = 4\n", b'mode = "async"\n')


class ModesHistory(History):
    """As any history, but each drop may come with another mode."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.replaced = 0

    def _drop(self) -> None:
        toml = self.chance.choice(TOMLS)
        for model in ("cat", "cat-2"):
            if self.chance.random() < 0.5:
                self._tell(f"wish {model} {toml!r}")
                if self.world.bucket.keys(f"models/{model}/model.tar.gz"):
                    self.asked_anew_at[endpoint_name(APP, model)] = self.clock.now()
                    self._forgive(model)
                    self.world.bucket.put(toml_key(model), toml)
        super()._drop()

    def _settle(self) -> None:
        """Queues are worked off now and then."""
        if self.chance.random() < 0.1:
            self.world.runtime.work(self.world.bucket)
        super()._settle()

    def _rest(self) -> None:
        self.world.runtime.work(self.world.bucket)
        super()._rest()

    def _check_queue(self, endpoint: FakeEndpoint) -> None:
        """What waits is lost with an endpoint only where its model was removed, or put back a moment ago."""
        is_put_back = self.clock.now() - self.put_back_at.get(endpoint.name, DAWN) < timedelta(seconds=300)
        if endpoint.status is not EndpointStatus.IN_SERVICE or is_put_back or not self._drop_is_there(endpoint.name):
            return
        waiting = [one for one in self.world.runtime.queue if one.endpoint == endpoint.name and one.ended_at is None]
        if waiting:
            self.broken.append(f"{endpoint.name} deleted though {len(waiting)} requests wait")

    def _check_delete(self, endpoint: FakeEndpoint) -> None:
        """A replacement is no sleep: it asks for no idleness, but for a mark that every process has seen."""
        self._check_queue(endpoint)
        if endpoint.status is EndpointStatus.IN_SERVICE and self._is_replacement(endpoint):
            if self._is_wanted_asleep(endpoint):
                # A crash between mark and use has left a mark like a person's: the sweep acts upon it, and it sleeps.
                return
            self._tell(f"[replace {endpoint.name}]")
            self.replaced += 1
            mark = self.world.bucket.objects[f"asleep/{endpoint.name.removeprefix(f'{APP}-')}"][1]
            if self.clock.now() - mark.modified_at < timedelta(seconds=MARK_SETTLED_S):
                self.broken.append(f"{endpoint.name} replaced under a mark of {mark.modified_at}")
            return
        super()._check_delete(endpoint)

    def _is_replacement(self, endpoint: FakeEndpoint) -> bool:
        with self._unseen():
            at = self.processes[0].looker
            desired = at.desired(ModelName(endpoint.name.removeprefix(f"{APP}-")))
            if desired.target is None or desired.asleep is None:
                return False
            found = at.actual(desired)
            return found.endpoint is not None and must_replace(desired.target, found.endpoint)

    def _is_wanted_asleep(self, endpoint: FakeEndpoint) -> bool:
        with self._unseen():
            model = ModelName(endpoint.name.removeprefix(f"{APP}-"))
            return self.processes[0].looker.desired(model).is_wanted_asleep

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """Look without weather."""
        calm, self.weather.is_calm = self.weather.is_calm, True
        try:
            yield
        finally:
            self.weather.is_calm = calm

    def _quiesce(self) -> None:
        """A replacement takes two sweeps more: one finds the mark settled, one the endpoint gone."""
        self.weather.is_calm = True
        self.world.metrics.unknown.clear()
        self.world.looks.asked.clear()
        for _ in range(2):
            self._rest()
            self._sweep()
        super()._quiesce()

    def _check_settled(self, model: ModelName) -> None:
        super()._check_settled(model)
        at = self.processes[0].looker
        desired = at.desired(model)
        actual = at.actual(desired)
        if desired.target is None or desired.target.plan is None or actual.endpoint is None:
            return
        served = live_release(desired, actual, APP) == desired.target.release
        self._claim(served, f"{model} does not serve its target")
        plan, found = desired.target.plan, actual.endpoint
        is_alike = (found.is_serverless, found.is_async) == (plan.is_serverless, plan.is_async)
        self._claim(is_alike, f"{model} is of the other kind")
        bounds = self.world.scaling.bounds.get(actual.endpoint.name)
        self._claim(bounds == desired.target.plan.autoscale, f"{model} scales {bounds}")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_changes_of_mode_keep_every_promise(batch: int) -> None:
    """Each seed is one history; a failing one shows its last steps."""
    replaced = 0
    for seed in range(batch, SEEDS, BATCHES):
        history = ModesHistory(seed)
        try:
            history.run()
        except BaseException as exc:
            exc.add_note(f"seed {seed}")
            raise
        replaced += history.replaced
    assert replaced > 0
