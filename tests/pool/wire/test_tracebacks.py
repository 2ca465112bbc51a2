"""Tracebacks: the frames of the user, each once, and lightwork's own only where asked for."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import nasty_errors
import pytest

from lightwork.pool.executor.executor import Executor
from lightwork.pool.open_pool import open_pool

pytestmark = pytest.mark.process

PLACES = ["inline", "threads:1", "processes:1"]
OURS = "src/lightwork/"

WAYS: dict[str, Callable[[Executor], object]] = {
    "submit": lambda pool: pool.submit(nasty_errors.fail, "OwnConstructor").result(),
    "coroutine": lambda pool: pool.submit(nasty_errors.fail_async, "OwnConstructor").result(),
    "map": lambda pool: list(pool.map(nasty_errors.fail, ["OwnConstructor"] * 3)),
    "chunk": lambda pool: list(pool.map(nasty_errors.fail, ["OwnConstructor"] * 3, chunksize=3)),
    "single": lambda pool: list(pool.map(nasty_errors.fail, ["OwnConstructor"] * 3, chunksize=1)),
}


@pytest.fixture(scope="module", params=PLACES)
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with open_pool(request.param) as executor:
        yield executor


def shown(pool: Executor, way: str) -> str:
    """Return what a program would print that does not catch the error."""
    with pytest.raises(nasty_errors.OwnConstructor) as caught:
        WAYS[way](pool)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("way", WAYS)
def test_the_frames_of_the_user_are_shown_once(pool: Executor, way: str) -> None:
    text = shown(pool, way)

    # What was raised in a child is shown there, and where it arrives.
    assert text.count(", in fail") == 1
    assert text.count("raise make(name)") == 1
    # A map raises where its results are used, and an iterator cannot hide its own frame.
    most = 0 if way in {"submit", "coroutine"} else 1
    assert text.count(OURS) <= most, text


@pytest.mark.parametrize("where", ["inline", "threads:1", "processes:1"])
def test_all_frames_are_shown_where_that_is_asked_for(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWORK_TRACEBACK", "full")
    options: dict[str, Any] = {"env": {"LIGHTWORK_TRACEBACK": "full"}} if where[0] == "p" else {}

    with open_pool(where, **options) as pool:
        text = shown(pool, "submit")

    assert "current.py" in text


def test_what_lightwork_raises_itself_keeps_its_frames() -> None:
    with open_pool("processes:1") as pool:
        error = pool.submit(str, Unloadable()).exception(30)

    assert "main.py" in str(error and error.__cause__)


class Unloadable:
    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)
