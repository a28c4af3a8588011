"""pytest's fixtures for containers: `hakobu_engine`, `hakobu_container`, `hakobu_network`.

    def test_cache(hakobu_container):
        redis = hakobu_container("redis", ports=[6379])
        redis.wait_ready()
        ...

The engine is that of HAKOBU_HOST (or `--hakobu-host`), else the caller's own. What a test started is removed
behind it, in the opposite order, whatever the test did; the label `hakobu.pytest` marks it until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hakobu.client.endpoint import choose
from hakobu.client.engine import Engine
from hakobu.client.running import RunningContainer, TemporaryNetwork

StartContainer = Callable[..., RunningContainer]
CreateNetwork = Callable[..., TemporaryNetwork]
LABEL = "hakobu.pytest"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hakobu-host", default="", help="address of the engine that runs the tests' containers")


@pytest.fixture(scope="session")
def hakobu_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The engine, one connection pool for the session."""
    host: Any = request.config.getoption("--hakobu-host")
    with Engine(choose(str(host))) as engine:
        yield engine


@pytest.fixture
def hakobu_container(hakobu_engine: Engine, request: pytest.FixtureRequest) -> Iterator[StartContainer]:
    """Starts containers for one test: `hakobu_container(image, command, **options)` as `Engine.run`."""
    with ExitStack() as started:

        def start(image: str, command: list[str] | None = None, **options: Any) -> RunningContainer:
            options["labels"] = _marked(request, options.get("labels"))
            return started.enter_context(hakobu_engine.run(image, command, **options))

        yield start


@pytest.fixture
def hakobu_network(hakobu_engine: Engine, request: pytest.FixtureRequest) -> Iterator[CreateNetwork]:
    """Creates networks for one test: `hakobu_network(name, **config)`; without a name it makes one up."""
    import secrets

    with ExitStack() as made:

        def create(name: str = "", **config: Any) -> TemporaryNetwork:
            config["Labels"] = _marked(request, config.get("Labels"))
            return made.enter_context(hakobu_engine.network(name or f"pytest-{secrets.token_hex(4)}", **config))

        yield create


def _marked(request: pytest.FixtureRequest, labels: dict[str, str] | None) -> dict[str, str]:
    name = str(getattr(request.node, "name", ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return {LABEL: name, **(labels or {})}
