"""Worlds in which something has happened already. Called by the tests of the flows."""

from chalicelib.bootstrap import Application, build
from chalicelib.names import ModelName
from tests.fakes import FakeWorld, fake_world, good_archive, settings

CAT = ModelName("cat")
NAME = "tarmac-cat"
START_S = 20.0


def app_over(world: FakeWorld, **changes: object) -> Application:
    """One process's application."""
    return build(settings(**changes), world)


def dropped(words: str = "one", *, toml: bytes | None = None) -> tuple[FakeWorld, Application]:
    """`cat` was dropped three seconds ago; nobody has looked yet."""
    world = fake_world()
    world.drop(CAT, good_archive(words), toml=toml)
    world.clock.advance(3)
    return world, app_over(world)


def awake(*, toml: bytes | None = None) -> tuple[FakeWorld, Application]:
    """`cat` is in service, and its start is written down."""
    world, app = dropped(toml=toml)
    app.looker.look(CAT)
    settle(world, app)
    return world, app


def asleep() -> tuple[FakeWorld, Application]:
    """`cat` has run, and the sweep has put it to sleep."""
    world, app = awake()
    world.clock.advance(1000)
    app.sweeper.sweep()
    settle(world, app)
    return world, app


def settle(world: FakeWorld, app: Application, *, fails: bool = False) -> None:
    """Let SageMaker end what it does, well or badly, and look."""
    world.clock.advance(START_S)
    if fails:
        world.endpoints.fail(NAME)
    world.endpoints.settle()
    app.looker.look(CAT)


def redrop(world: FakeWorld, app: Application, archive: bytes, *, etag: str | None = None) -> None:
    """Drop again, and look."""
    world.clock.advance(5)
    world.drop(CAT, archive, etag=etag)
    world.clock.advance(2)
    app.looker.look(CAT)


def ask(app: Application, model: str = CAT, body: bytes = b"hello") -> bytes:
    """Ask through the proxy; the answer is the serving configuration, a colon and the body."""
    return app.proxy.invoke(model, body, content_type="text/plain", accept="*/*").body
