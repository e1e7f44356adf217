"""Seeded random histories of one deployment: the real application over fakes, in bad weather.

Called by test_histories.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from zlib import crc32

from chalicelib.batches import look_at_each
from chalicelib.bootstrap import Application, build
from chalicelib.errors import TarmacError
from chalicelib.names import ModelName, endpoint_name, release_name
from chalicelib.state import ANSWERING, MODIFYING, Accepted, Answer, EndpointStatus
from tests.fakes import (
    APP,
    DAWN,
    REFUSED_ARCHIVE,
    TTL_S,
    Crash,
    FakeEndpoint,
    FakeWorld,
    ManualClock,
    fake_world,
    good_archive,
    settings,
)
from tests.simulation.weather import Weather

MODELS = ("cat", "cat-2")
FOREIGN = "tarmac-dog"
PROCESSES = 3
STEPS = 45
SWEEP_EVERY_S = 300.0
NESTING = 2
"""How many actors may interrupt one another: each call of one is a moment at which another may run."""


class History:
    """One seed's deployment, its people, its faults, and what must hold."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = ManualClock()
        self.weather = Weather(self.chance, self.clock)
        self.weather.interrupt = self._interrupt
        self.world: FakeWorld = fake_world(self.clock, self.weather)
        self.processes = [self._process() for _ in range(PROCESSES)]
        self.busy: list[int] = []
        self.is_sweeping = False
        self.marked: set[str] = set()
        """Whose mark was there already when the sweep began."""
        self.sleeps_by_hand = seed % 2 == 0
        self.put_back_at: dict[str, datetime] = {}
        self.asked_anew_at: dict[str, datetime] = {}
        self.excused: set[str] = set()
        self.quarantine: set[str] = set()
        self.served_at: dict[str, datetime] = {}
        self.broken: list[str] = []
        self.story: list[str] = []
        self.world.endpoints.add(FOREIGN, "foreign", is_owned=False)
        self.world.endpoints.on_delete = self._check_delete
        self.world.endpoints.on_create = self._check_create

    def _process(self) -> Application:
        return build(settings(), self.world)

    # Acts.

    def run(self) -> None:
        """Live through the steps, then let all settle, and check."""
        self._begin()
        for _ in range(STEPS):
            self._act(self._moves)
            self._check()
        self._quiesce()

    def _begin(self) -> None:
        """Most deployments have something that runs; the others begin with nothing."""
        if self.chance.random() < 0.8:
            self.weather.is_calm = True
            for model in MODELS:
                self.world.drop(model, good_archive(self.chance.choice(["one", "two"])))
                self._hint(model)
            self._rest()
            self.weather.is_calm = False

    def _act(self, choose: Callable[[], list[tuple[float, Callable[[], None]]]]) -> None:
        weights, moves = zip(*choose(), strict=True)
        self.chance.choices(moves, weights)[0]()

    def _moves(self) -> list[tuple[float, Callable[[], None]]]:
        return [
            (3, self._drop),
            (1, self._undrop),
            (8, self._request),
            (2, self._command),
            (3, self._sweep),
            (4, self._long_silence),
            (2, self._call_directly),
            (6, self._deliver),
            (6, self._settle),
            (1, self._disturb),
            (1, self._toggle_sight),
            (5, self._jump),
        ]

    def _interrupt(self) -> None:
        if len(self.busy) >= NESTING or len(self.busy) == PROCESSES:
            return
        nested = [(6.0, self._request), (4.0, self._deliver), (2.0, self._command), (1.0, self._sweep)]
        for _ in range(self.chance.choice([1, 1, 2, 4])):
            self._act(lambda: [*nested, (0.5, self._drop), (0.5, self._disturb)])

    @contextmanager
    def _as_process(self, *, hurried: bool = False) -> Iterator[Application]:
        """Run as one free process; when it crashes it starts anew with nothing remembered."""
        index = self.chance.choice([i for i in range(PROCESSES) if i not in self.busy])
        was_hurried = self.weather.is_hurried
        self.busy.append(index)
        self.weather.is_hurried = was_hurried or hurried
        try:
            yield self.processes[index]
        except Crash as crash:
            self.story.append(f"  crash at {crash}")
            self.processes[index] = self._process()
        finally:
            self.busy.remove(index)
            self.weather.is_hurried = was_hurried

    def _tell(self, what: str) -> None:
        self.story.append(f"{'  ' * len(self.busy)}{(self.clock.now() - DAWN).total_seconds():.1f} {what}")

    def _model(self) -> str:
        return self.chance.choice(MODELS)

    def _drop(self) -> None:
        model = self._model()
        archive = self.chance.choice([good_archive("one"), good_archive("two"), good_archive("three"), REFUSED_ARCHIVE])
        etag = self.chance.choice([None, None, None, f"parts-{self.chance.randrange(3)}-{crc32(archive) % 97}"])
        self._tell(f"drop {model} {crc32(archive) % 97} {etag}")
        if not self._drop_is_there(endpoint_name(APP, model)):
            self.put_back_at[endpoint_name(APP, model)] = self.clock.now()
        self.asked_anew_at[endpoint_name(APP, model)] = self.clock.now()
        self.world.drop(model, archive, etag=etag)
        self._forgive(model)
        self._hint(model)

    def _undrop(self) -> None:
        model = self._model()
        self._tell(f"undrop {model}")
        self.world.undrop(model)
        self._forgive(model)
        self._hint(model)

    def _forgive(self, model: str) -> None:
        self.quarantine = {config for config in self.quarantine if config[:-9] != endpoint_name(APP, model)}

    def _hint(self, model: str) -> None:
        """Let an event be sent, lost, or sent twice."""
        self.world.looks.asked += [ModelName(model)] * self.chance.choice([0, 1, 1, 2])

    def _request(self) -> None:
        model = self._model()
        with self._as_process(hurried=True) as at:
            self._tell(f"request {model}")
            try:
                at.proxy.invoke(model, b"?", content_type="text/plain", accept="*/*")
                self.served_at[endpoint_name(APP, model)] = self.clock.now()
            except TarmacError as exc:
                self._tell(f"  {exc.code}")

    def _command(self) -> None:
        model = self._model()
        with self._as_process(hurried=True) as at, suppress(TarmacError):
            commands = [
                at.commands.wake,
                at.commands.wake,
                at.commands.sleep if self.sleeps_by_hand else at.commands.wake,
            ]
            command = self.chance.choice(commands)
            self._tell(f"{command.__name__} {model}")
            if command.__name__ == "wake":
                self._forgive(model)
                self.asked_anew_at[endpoint_name(APP, model)] = self.clock.now()
            else:
                self.marked.add(endpoint_name(APP, model))
            command(model)

    def _sweep(self) -> None:
        if self.is_sweeping:
            return
        self.is_sweeping = True
        self.marked = {endpoint_name(APP, key.removeprefix("asleep/")) for key in self.world.bucket.keys("asleep/")}
        try:
            with self._as_process() as at, suppress(TarmacError):
                self._tell("sweep")
                at.sweeper.sweep()
        finally:
            self.is_sweeping = False

    def _deliver(self) -> None:
        """Let some of the messages come, in any order; a look that may be repeated goes back to the queue."""
        asked = self.world.looks.asked
        if not asked:
            return
        self.chance.shuffle(asked)
        models = [asked.pop() for _ in range(self.chance.randint(1, min(3, len(asked))))]
        with self._as_process() as at:
            self._tell(f"look {models}")
            records = [{"messageId": model, "body": f'{{"model": "{model}"}}'} for model in models]
            again = look_at_each(records, at.looker.look, app=APP)["batchItemFailures"]
            asked += [ModelName(row["itemIdentifier"]) for row in again]

    def _settle(self) -> None:
        for name, endpoint in list(self.world.endpoints.endpoints.items()):
            if endpoint.status not in MODIFYING or self.chance.random() < 0.3:
                continue
            self.clock.advance(self.chance.uniform(0.5, 90))
            if endpoint.status in {EndpointStatus.CREATING, EndpointStatus.UPDATING} and self.chance.random() < 0.2:
                self._tell(f"fail {name}")
                if endpoint.status is EndpointStatus.CREATING:
                    self.quarantine.add(endpoint.config_name)
                self.world.endpoints.fail(name)
            else:
                self._tell(f"settle {name} from {endpoint.status}")
                self.world.endpoints.settle(name)
            self._hint(name.removeprefix(f"{APP}-"))

    def _disturb(self) -> None:
        for name, endpoint in list(self.world.endpoints.endpoints.items()):
            if endpoint.status is EndpointStatus.IN_SERVICE and endpoint.is_owned:
                self._tell(f"system update of {name}")
                self.world.endpoints.disturb(name)
                return

    def _toggle_sight(self) -> None:
        name = endpoint_name(APP, self._model())
        self.world.metrics.unknown ^= {name}

    def _long_silence(self) -> None:
        """What a sweep waits for."""
        self.clock.advance(TTL_S + self.chance.uniform(-5, 60))
        self._sweep()

    def _call_directly(self) -> None:
        """Ask SageMaker without asking Tarmac: only CloudWatch sees it."""
        name = endpoint_name(APP, self._model())
        if self.world.endpoints.status(name) in ANSWERING:
            self._tell(f"direct call of {name}")
            self.world.evidence.traffic.append((name, self.clock.now()))

    def _jump(self) -> None:
        self.clock.advance(self.chance.choice([1, 20, 95, 300, 700, 1000, 4000]))

    # Claims.

    def _drop_is_there(self, name: str) -> bool:
        return any(f"models/{name.removeprefix(f'{APP}-')}/model.tar.gz" == key for key in self.world.bucket.objects)

    def _check_delete(self, endpoint: FakeEndpoint) -> None:
        self._tell(f"[delete {endpoint.name}]")
        now = self.clock.now()
        # DeleteEndpoint takes no condition, so a drop put back while its deletion is on its way is not protected.
        is_put_back = now - self.put_back_at.get(endpoint.name, DAWN) < timedelta(seconds=300)
        if not self._drop_is_there(endpoint.name) or is_put_back:
            self.excused.add(endpoint.name)
            return
        if endpoint.status is not EndpointStatus.IN_SERVICE:
            # It answered nobody, so nobody loses an answer.
            self.excused.add(endpoint.name)
            return
        if endpoint.name not in self.marked:
            self._check_idle(endpoint, now)
        if not self.sleeps_by_hand:
            last = max(endpoint.created_at, self.served_at.get(endpoint.name, DAWN))
            if now - last < timedelta(seconds=TTL_S):
                self.broken.append(f"{endpoint.name} deleted {now - last} after its last use or start")

    def _check_idle(self, endpoint: FakeEndpoint, now: datetime) -> None:
        if endpoint.name in self.world.metrics.unknown:
            self.broken.append(f"{endpoint.name} deleted though nobody can see who calls it")
        # A sweep acts within a minute of its listing; calls during that minute are nobody's to see.
        recent = (now - timedelta(seconds=TTL_S - 70), now - timedelta(seconds=90))
        if any(name == endpoint.name and recent[0] < at < recent[1] for name, at in self.world.evidence.traffic):
            self.broken.append(f"{endpoint.name} deleted though CloudWatch shows calls")

    def _check_create(self, endpoint: FakeEndpoint) -> None:
        self._tell(f"[create {endpoint.name} {endpoint.config_name}]")
        self.excused.discard(endpoint.name)
        if endpoint.config_name in self.quarantine:
            self.broken.append(f"{endpoint.config_name} tried again though it failed and nobody asked")

    def _check(self) -> None:
        self.broken += [violation for violation in self.world.evidence.violations if not self._is_excused(violation)]
        self.world.evidence.violations.clear()
        assert not self.broken, "\n".join([*self.story[-60:], *self.broken])

    def _is_excused(self, violation: str) -> bool:
        if any(violation == f"a request met the deletion of {name}" for name in self.excused):
            return True
        # DeleteEndpointConfig takes no condition either: who drops an older release's very bytes again, or retries a
        # failed one, in the seconds in which another look is removing that release's configuration may lose it. The
        # next look makes it again.
        recently = (name for name, at in self.asked_anew_at.items() if self.clock.now() - at < timedelta(seconds=300))
        return any(violation.startswith(f"configuration {name}-") for name in recently)

    def _quiesce(self) -> None:
        """Nothing goes wrong any more: three sweeps later all is as it should be, and one request wakes each."""
        self.weather.is_calm = True
        self.world.metrics.unknown.clear()
        self.world.looks.asked.clear()
        for _ in range(3):
            self._rest()
            self._sweep()
            self._check()
        self._rest()
        for model in MODELS:
            self._check_settled(ModelName(model))
        for model in MODELS:
            self._check_wakeable(ModelName(model))
        self._check()

    def _rest(self) -> None:
        """Let SageMaker end what it does, and deliver what was asked for, until nothing moves."""
        for _ in range(8):
            self.clock.advance(SWEEP_EVERY_S / 8)
            self.world.endpoints.settle()
            for model in self.world.looks.take_all():
                self.processes[0].looker.look(model)

    def _claim(self, holds: bool, what: str) -> None:
        assert holds, "\n".join([*self.story[-60:], what])

    def _check_settled(self, model: ModelName) -> None:
        at, name = self.processes[0], endpoint_name(APP, model)
        endpoint = self.world.endpoints.endpoints.get(name)
        mine = [key for key in self.world.bucket.objects if key.split("/")[1] == model]
        configs = self.world.endpoints.list_configs(model)
        if not self._drop_is_there(name):
            left = [key for key in mine if not key.startswith("models/")]
            self._claim(not (endpoint or configs or left), f"orphans of {model}: {endpoint} {configs} {left}")
            self._claim(not self.world.endpoints.list_models(model), f"orphan model of {model}")
            return
        desired = at.looker.desired(model)
        self._claim(desired.report is not None, f"{model} was never inspected")
        if desired.target is None:
            running = endpoint is not None and endpoint.status in ANSWERING
            self._claim(not running, f"{model} runs though nothing should: {endpoint}")
            return
        assert desired.report is not None
        if desired.report.is_accepted and desired.failure is None:
            own = desired.report.same_as or desired.report.release
            self._claim(desired.target.release == own, f"{model} should run {own}, not {desired.target.release}")
        config = release_name(APP, model, desired.target.release)
        if endpoint is None:
            self._claim(desired.is_wanted_asleep, f"{model} should be awake")
            return
        self._claim(not desired.is_wanted_asleep, f"{model} should be asleep: {endpoint}")
        is_right = endpoint.status is EndpointStatus.IN_SERVICE and endpoint.config_name == config
        self._claim(is_right, f"{model} should serve {config}: {endpoint}")
        records = (set(configs), self.world.endpoints.list_models(model))
        self._claim(records == ({config}, {config}), f"records of {model} should be {config}: {records}")

    def _check_wakeable(self, model: ModelName) -> None:
        at = self.processes[0]
        desired = at.looker.desired(model)
        if desired.target is None:
            return
        config = release_name(APP, model, desired.target.release)
        creates = self.world.evidence.accepted["create"]
        with suppress(TarmacError):
            at.proxy.invoke(model, b"?", content_type="text/plain", accept="*/*")
        self._rest()
        answer = at.proxy.invoke(model, b"?", content_type="text/plain", accept="*/*")
        if isinstance(answer, Accepted):
            self.world.runtime.work(self.world.bucket)
            answer = at.requests.outcome(answer.request_id)
        assert isinstance(answer, Answer), "it was answered a moment ago"
        self._claim(answer.body == config.encode() + b":?", f"{model} answered {answer.body!r}, not {config}")
        self._claim(self.world.evidence.accepted["create"] - creates <= 1, f"{model} was created more than once")
